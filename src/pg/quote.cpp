#include "pg/quote.h"

#include <algorithm>
#include <string_view>

namespace howdah::pg {
namespace {

std::string doubled(const std::string& text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        out.append(c == quote ? 2 : 1, c);
    }
    return out + quote;
}

}  // namespace

std::string quote_literal(const std::string& text) {
    // With a backslash only the E form reads the same whatever standard_conforming_strings says.
    if (text.find('\\') == std::string::npos) {
        return doubled(text, '\'');
    }
    std::string escaped;
    for (const char c : text) {
        escaped.append(c == '\\' ? 2 : 1, c);
    }
    return " E" + doubled(escaped, '\'');
}

std::string quote_identifier(const std::string& text) {
    return doubled(text, '"');
}

std::string quote_command_word(const std::string& word) {
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_=/.,:@+").contains(c);
    };
    if (!word.empty() && std::ranges::all_of(word, is_plain)) {
        return word;
    }
    std::string quoted = "'";
    for (const auto c : word) {
        quoted += c == '\'' ? "'\\''" : c == '%' ? "%%" : std::string(1, c);
    }
    return quoted + "'";
}

std::string fill_command(const std::string& command, const std::string& path,
                         const std::string& name) {
    std::string out;
    for (std::size_t i = 0; i < command.size(); ++i) {
        const char c = command[i];
        const char next = i + 1 < command.size() ? command[i + 1] : '\0';
        if (c != '%' || (next != 'p' && next != 'f' && next != '%')) {
            out += c;
            continue;
        }
        out += next == 'p' ? path : next == 'f' ? name : "%";
        ++i;
    }
    return out;
}

}  // namespace howdah::pg
