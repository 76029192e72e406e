#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"

namespace howdah::cli {

/// The restore's command line: what `command` names, into `data_dir`, to be recovered to its target
/// and promoted. Errors: Errc::invalid: two targets at once.
Result<std::vector<std::string>> restore_words(const BootstrapCommand& command,
                                               const std::string& data_dir);

/// Restores a backup into this host's data directory, so that its agent begins the scope with it.
/// Nothing is touched when the scope has a cluster, the directory holds files, or an agent runs.
/// Returns the exit code. Errors: Errc::unsafe, Errc::conflict, Errc::invalid, Errc::unavailable.
Result<int> run(const BootstrapCommand& command, const std::string& config_file);

}  // namespace howdah::cli
