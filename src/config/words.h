#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::config {

/// The words of a command as a shell splits them: quotes and backslashes count, nothing is
/// expanded. Errors: Errc::invalid: a quote is not closed, or there is no word.
Result<std::vector<std::string>> shell_words(const std::string& command);
/// One word that a shell, and shell_words, takes as `word`.
std::string quote_shell_word(const std::string& word);

}  // namespace howdah::config
