#pragma once

#include <string>

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// `howdah history`: the rows of `/history`.
Result<> run(const HistoryCommand& command, const config::AgentConfig& config);

/// `howdah list`: one read of the store, printed. With watch_seconds it goes on until it is
/// interrupted.
Result<> run(const ListCommand& command, const config::AgentConfig& config);

}  // namespace howdah::cli
