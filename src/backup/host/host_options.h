#pragma once

#include <string>

#include "backup/options/options.h"

namespace howdah::backup {

/// What a repository host tells its clients of a repository, as lines of a configuration file: its
/// pass phrase, retention and layout, so that they stand in one place. Weaker than what the client
/// has itself (OptionSources::hosts).
std::string options_for_clients(const RepositoryOptions& repository);

}  // namespace howdah::backup
