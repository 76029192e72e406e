#pragma once

#include "base/result.h"
#include "cli/command.h"

namespace howdah::cli {

/// `howdah repo FILE`: serves repositories to other hosts until SIGTERM or SIGINT; SIGHUP reads the
/// certificates anew.
Result<> run(const RepoCommand& command);

}  // namespace howdah::cli
