#pragma once

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// `howdah pause` and `howdah resume`: asks the leader, else any member, to change `pause`; with
/// --wait until every member has told that it noticed. Pausing stops no fence: what may not be
/// writable is stopped all the same. Errors: Errc::invalid "Cluster is already paused".
Result<> run(const PauseCommand& command, const config::AgentConfig& config);

}  // namespace howdah::cli
