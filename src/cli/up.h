#pragma once

#include "base/result.h"
#include "cli/command.h"

namespace howdah::cli {

/// `howdah up`: a real cluster on loopback addresses; see up_layout.h for what it leaves where.
/// With --detach it returns when the cluster is healthy, else it shows it until it is told to stop,
/// and stops it.
Result<int> run(const UpCommand& command);

}  // namespace howdah::cli
