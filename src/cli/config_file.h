#pragma once

#include <string>

#include "base/result.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// The configuration of an operator's verb: `given` (-c), else HOWDAH_CONFIG,
/// PATRONICTL_CONFIG_FILE, else
/// ~/.config/patroni/patronictl.yaml. `dcs_url` (-d), else DCS_URL, names the store instead of the
/// configuration's; then no configuration is needed. `insecure`: certificates of members
/// are not verified. Errors: those of load_agent_config;
/// Errc::invalid when there is none.
Result<config::AgentConfig> operator_config(const std::string& given, const std::string& dcs_url,
                                            bool insecure = false);

/// "[SCHEME://]HOST[:PORT][/NAMESPACE]" over the store of `config`; the port is 2379 where it is
/// missing. Errors: Errc::invalid.
Result<> use_store(const std::string& dcs_url, config::AgentConfig& config);

/// The file that an operator's verb reads: `given` (-c), else HOWDAH_CONFIG, PATRONICTL_CONFIG_FILE
/// or ~/.config/patroni/patronictl.yaml. Empty: there is none.
std::string configuration_file(const std::string& given);

}  // namespace howdah::cli
