#pragma once

#include "base/result.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// What must not be there when an agent starts: a Patroni cluster of the same scope in etcd's v2
/// store, which Howdah would not see (patroni-compatibility.md 1.6), and another member of the same
/// name (safety-model.md, M5). A store that does not answer hides both; the agent waits for it.
/// Errors: Errc::unsafe with the way out.
Result<> check_before_start(const config::AgentConfig& config, const std::string& member_uuid);

}  // namespace howdah::cli
