#include "config/words.h"

#include <fmt/format.h>

#include <optional>

namespace howdah::config {

Result<std::vector<std::string>> shell_words(const std::string& command) {
    std::vector<std::string> words;
    std::optional<std::string> word;
    char quote = 0;
    for (std::size_t i = 0; i < command.size(); ++i) {
        const char c = command[i];
        const bool escapes = c == '\\' && quote != '\'' && i + 1 < command.size();
        if (escapes && (quote == 0 || command[i + 1] == '"' || command[i + 1] == '\\')) {
            word = word.value_or("") + command[++i];
        } else if (quote != 0 ? c == quote : c == '\'' || c == '"') {
            quote = quote != 0 ? '\0' : c;
            word = word.value_or("");
        } else if (quote == 0 && (c == ' ' || c == '\t' || c == '\n')) {
            if (word) {
                words.push_back(*std::move(word));
            }
            word.reset();
        } else {
            word = word.value_or("") + c;
        }
    }
    if (word) {
        words.push_back(*std::move(word));
    }
    if (quote != 0 || words.empty()) {
        return fail(Errc::invalid,
                    fmt::format("\"{}\" is no command: {}", command,
                                quote != 0 ? "a quote is not closed" : "it is empty"),
                    "write the program and its arguments, as in a shell");
    }
    return words;
}

std::string quote_shell_word(const std::string& word) {
    std::string quoted = "'";
    for (const char c : word) {
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return quoted + "'";
}

}  // namespace howdah::config
