#pragma once

#include <string>

#include "base/result.h"
#include "config/agent_config.h"
#include "ha/cluster.h"

namespace howdah::cli {

/// One linearizable read of cluster `scope`. Errors: Errc::unavailable or Errc::timeout with the
/// addresses that were tried; Errc::invalid: the configuration names no store.
Result<ha::Cluster> read_cluster(const config::AgentConfig& config, const std::string& scope);

/// Writes the key `name` of cluster `scope`.
Result<> write_key(const config::AgentConfig& config, const std::string& scope,
                   const std::string& name, const std::string& value);

}  // namespace howdah::cli
