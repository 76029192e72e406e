#pragma once

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// `howdah query`: one statement on the leader or on who is asked for, printed as a table. What
/// PostgreSQL refuses, or nobody to connect to, is printed as a row, as patronictl does.
Result<> run(const QueryCommand& command, const config::AgentConfig& config);

}  // namespace howdah::cli
