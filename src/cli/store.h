#pragma once

#include <memory>

#include "base/result.h"
#include "config/agent_config.h"
#include "dcs/kv.h"
#include "io/task.h"

namespace howdah::cli {

/// A connection to the store that the configuration names; one a thread. The only place that knows
/// which store it is. `config.etcd` is set.
std::unique_ptr<dcs::KeyValueStore> connect_store(io::Executor executor, io::Clock& clock,
                                                  const config::AgentConfig& config);

/// Prints the configuration's warnings to stderr, one a line.
void print_warnings(const config::AgentConfig& config);

}  // namespace howdah::cli
