#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cli/command.h"

namespace howdah::cli {

/// The program ends at once with `code`, after printing `out` and `err`.
struct Leave {
    int code = 0;
    std::string out{};
    std::string err{};
};

/// `words[0]` is the program's name: `patronictl` accepts that program's verbs and keeps its exit
/// codes. -c FILE may stand before or after the verb. Usage errors leave with 2.
std::variant<CommandLine, Leave> parse_command_line(const std::vector<std::string>& words);

}  // namespace howdah::cli
