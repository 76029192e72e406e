#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"
#include "dcs/etcd/status.h"

namespace howdah::cli {

std::string render_dcs_status(const std::vector<dcs::etcd::EtcdMemberStatus>& members, bool json);

/// `howdah dcs status`. Exit code 0: all members are healthy; 1: some aren't.
Result<int> run(const DcsStatusCommand& command, const config::AgentConfig& config);

}  // namespace howdah::cli
