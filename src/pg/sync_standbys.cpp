#include "pg/sync_standbys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace howdah::pg {
namespace {

bool same_letters(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
           static_cast<unsigned char>(c) >= 128;
}

struct Token {
    std::string text{};
    bool quoted = false;
    bool is(std::string_view word) const { return !quoted && same_letters(text, word); }
    bool is_name() const { return quoted || text == "*" || (!text.empty() && is_word(text[0])); }
};

Result<std::vector<Token>> tokens_of(std::string_view text) {
    std::vector<Token> tokens;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            ++at;
        } else if (c == '"') {
            Token token{.quoted = true};
            for (++at; at < text.size() && (text[at] != '"' || text.substr(at, 2) == "\"\"");) {
                token.text += text[at];
                at += text[at] == '"' ? 2 : 1;
            }
            if (at >= text.size() || token.text.empty()) {
                return fail(Errc::invalid, at >= text.size() ? "a quote is not closed"
                                                             : "an empty name in quotes");
            }
            ++at;
            tokens.push_back(std::move(token));
        } else if (is_word(c)) {
            const auto begin = at;
            while (at < text.size() && is_word(text[at])) {
                ++at;
            }
            tokens.push_back({.text = std::string(text.substr(begin, at - begin))});
        } else if (c == ',' || c == '(' || c == ')' || c == '*') {
            tokens.push_back({.text = std::string(1, c)});
            ++at;
        } else {
            return fail(Errc::invalid, fmt::format("unexpected '{}'", c),
                        "put names with such characters into double quotes");
        }
    }
    return tokens;
}

std::optional<int> number_of(const Token& token) {
    int value = 0;
    const auto* end = token.text.data() + token.text.size();
    const auto [stopped, error] = std::from_chars(token.text.data(), end, value);
    return !token.quoted && error == std::errc{} && stopped == end ? std::optional(value)
                                                                   : std::nullopt;
}

Result<std::vector<std::string>> names_of(const std::vector<Token>& tokens, std::size_t at,
                                          std::size_t end) {
    std::vector<std::string> names;
    for (; at < end; at += 2) {
        if (!tokens[at].is_name()) {
            return fail(Errc::invalid, fmt::format("a name instead of '{}'", tokens[at].text));
        }
        if (at + 1 < end && !tokens[at + 1].is(",")) {
            return fail(Errc::invalid, fmt::format("a comma after {}", tokens[at].text));
        }
        names.push_back(tokens[at].text);
    }
    if (names.empty() || at == end) {
        return fail(Errc::invalid, "a name is missing");
    }
    return names;
}

Result<SyncStandbys> parse_tokens(const std::vector<Token>& tokens) {
    SyncStandbys out;
    if (tokens.empty()) {
        return out;
    }
    const bool worded = tokens.size() > 2 && (tokens[0].is("first") || tokens[0].is("any")) &&
                        number_of(tokens[1]) && tokens[2].is("(");
    const bool numbered = tokens.size() > 1 && number_of(tokens[0]) && tokens[1].is("(");
    if (!worded && !numbered) {
        HD_TRY(out.names, names_of(tokens, 0, tokens.size()));
        out.method = SyncStandbys::Method::first;
        out.count = 1;
        return out;
    }
    if (!tokens.back().is(")")) {
        return fail(Errc::invalid, "')' is missing");
    }
    out.method = tokens[0].is("any") ? SyncStandbys::Method::any : SyncStandbys::Method::first;
    out.count = *number_of(tokens[worded ? 1 : 0]);
    HD_TRY(out.names, names_of(tokens, worded ? 3 : 2, tokens.size() - 1));
    if (out.count < 1) {
        return fail(Errc::invalid, "the number of standbys must be at least 1");
    }
    return out;
}

}  // namespace

Result<SyncStandbys> SyncStandbys::parse(std::string_view text) {
    auto tokens = tokens_of(text);
    auto parsed = tokens ? parse_tokens(*tokens) : std::unexpected(std::move(tokens).error());
    if (!parsed) {
        return std::unexpected(
            std::move(parsed).error().within(fmt::format("synchronous_standby_names: {}", text)));
    }
    return parsed;
}

int SyncStandbys::priority_of(std::string_view application_name) const {
    const auto found = std::ranges::find_if(names, [&](const std::string& name) {
        return name == "*" || same_letters(name, application_name);
    });
    if (found == names.end()) {
        return 0;
    }
    return method == Method::any ? 1 : static_cast<int>(found - names.begin()) + 1;
}

}  // namespace howdah::pg
