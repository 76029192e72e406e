#pragma once

#include <map>
#include <string>
#include <vector>

#include "backup/options/options.h"

namespace howdah::backup {

/// Reads the configuration files that the words, or else the environment, name; or those in their
/// usual places (pgbackrest-repository.md, section 13). Errors: Errc::not_found, Errc::io.
Result<OptionSources> find_option_sources(std::vector<std::string> words,
                                          std::map<std::string, std::string> environment);

}  // namespace howdah::backup
