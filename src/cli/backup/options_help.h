#pragma once

#include <string>

namespace howdah::cli {

/// What one of pgBackRest's commands makes of its options (backup/options/option_table.h), for
/// --help: lines of at most a hundred columns.
std::string options_help(const std::string& command);

}  // namespace howdah::cli
