#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "config/agent_config.h"
#include "dcs/etcd/status.h"
#include "dcs/kv.h"
#include "io/task.h"

namespace howdah::cli {

/// A connection to the store that the configuration names; one a thread. The only place that knows
/// which store it is. `config.etcd` is set.
std::unique_ptr<dcs::KeyValueStore> connect_store(io::Executor executor, io::Clock& clock,
                                                  const config::AgentConfig& config);

/// The members of that store, each asked how it does. Errors: Errc::unavailable.
io::Task<Result<std::vector<dcs::etcd::EtcdMemberStatus>>> store_members(io::Executor executor,
                                                                         io::Clock& clock,
                                                                         config::AgentConfig config,
                                                                         Nanos limit);

/// Prints the configuration's warnings to stderr, one a line.
void print_warnings(const config::AgentConfig& config);

}  // namespace howdah::cli
