#pragma once

#include <string>

#include "base/result.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// The configuration of an operator's verb: `given` (-c), else HOWDAH_CONFIG,
/// PATRONICTL_CONFIG_FILE, else
/// ~/.config/patroni/patronictl.yaml. Errors: those of load_agent_config; Errc::invalid when there
/// is none.
Result<config::AgentConfig> operator_config(const std::string& given);

}  // namespace howdah::cli
