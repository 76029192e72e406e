#pragma once

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// `howdah dcs recover`: asks every member that answers to write the lost leader record anew, and
/// waits until one leads (safety-model.md, G7). Members given as missing are outvoted for good:
/// their names have to be typed. Errors: Errc::conflict when nothing is lost, Errc::timeout when
/// nobody leads in time, with what each member says.
Result<> run(const DcsRecoverCommand& command, const config::AgentConfig& config);

}  // namespace howdah::cli
