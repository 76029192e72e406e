#pragma once

#include <string>

#include "base/instant.h"
#include "base/result.h"
#include "config/agent_config.h"
#include "ha/cluster.h"

namespace howdah::cli {

/// One linearizable read of cluster `scope`. Errors: Errc::unavailable or Errc::timeout with the
/// addresses that were tried; Errc::invalid: the configuration names no store.
Result<ha::Cluster> read_cluster(const config::AgentConfig& config, const std::string& scope,
                                 Nanos limit = Seconds(5));

/// Writes the key `name` of cluster `scope`.
Result<> write_key(const config::AgentConfig& config, const std::string& scope,
                   const std::string& name, const std::string& value);

/// The cluster that a verb speaks of: `given`, else the configuration's scope. Errors:
/// Errc::invalid when neither names one.
Result<std::string> cluster_name(const std::string& given, const config::AgentConfig& config);

/// Writes it over exactly the version `seen`. Errors: Errc::conflict when that has changed.
Result<> replace_key(const config::AgentConfig& config, const std::string& scope,
                     const std::string& name, std::int64_t seen, const std::string& value);

/// Deletes every key of cluster `scope`.
Result<> remove_cluster(const config::AgentConfig& config, const std::string& scope);

}  // namespace howdah::cli
