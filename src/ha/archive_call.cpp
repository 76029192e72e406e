#include "ha/archive_call.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

namespace howdah::ha {
namespace {

constexpr std::string_view stanza_option = "--stanza";

std::vector<std::string> words_of(const std::string& command) {
    std::vector<std::string> words;
    std::istringstream in(command);
    for (std::string word; in >> word;) {
        std::erase_if(word, [](char c) { return c == '"' || c == '\''; });
        words.push_back(word);
    }
    return words;
}

/// In their order, whatever they are.
std::vector<std::string> stanzas_in(const std::vector<std::string>& words) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        if (word.starts_with("--stanza=")) {
            all.emplace_back(word.substr(stanza_option.size() + 1));
        } else if (word == stanza_option && i + 1 < words.size()) {
            all.push_back(words[i + 1]);
        }
    }
    return all;
}

std::string stanza_in(const std::vector<std::string>& words) {
    const auto all = stanzas_in(words);
    return !all.empty() && is_stanza_name(all.back()) ? all.back() : std::string();
}

/// Others belong to the verb alone.
std::vector<std::string> options_in(const std::vector<std::string>& words, std::string_view verb) {
    std::vector<std::string> options;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (!words[i].starts_with("--config") && !words[i].starts_with("--repo")) {
            continue;
        }
        options.push_back(words[i]);
        // Its value is the next word, unless it is one that has none.
        if (!words[i].contains('=') && i + 1 < words.size() && !words[i + 1].starts_with("--") &&
            words[i + 1] != verb) {
            options.push_back(words[++i]);
        }
    }
    options.push_back(fmt::format("{}={}", stanza_option, stanza_in(words)));
    return options;
}

/// Takes back what a file or the environment says of the repository.
bool unsays(std::string_view word) {
    return word.starts_with("--no-config") || word.starts_with("--no-repo") ||
           word.starts_with("--reset-");
}

}  // namespace

bool is_stanza_name(std::string_view text) {
    return !text.empty() && text.find_first_of("/ \t\r\n$`") == std::string_view::npos;
}

std::string stanza_of(const std::string& command) {
    return stanza_in(words_of(command));
}

std::optional<ArchiveCall> archive_call(const std::string& command, std::string_view verb) {
    const auto words = words_of(command);
    const auto all = stanzas_in(words);
    const auto program = words.empty() ? "" : words.front().substr(words.front().rfind('/') + 1);
    const bool is_one =
        (program == "howdah" || program == "pgbackrest") &&
        command.find_first_of(";&|<>()$`#\n") == std::string::npos &&
        std::ranges::count(words, verb) == 1 && std::ranges::none_of(words, unsays) &&
        std::ranges::all_of(all, [&](const auto& each) { return each == all.front(); });
    if (!is_one) {
        return std::nullopt;
    }
    return ArchiveCall{.program = words.front(),
                       .stanza = stanza_in(words),
                       .options = options_in(words, verb),
                       .text = fmt::format("{}", fmt::join(words, " "))};
}

}  // namespace howdah::ha
