#pragma once

#include <iosfwd>

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"
#include "ha/cluster.h"

namespace howdah::cli {

/// The dialogue of `remove`: the name of the cluster, a phrase, and the name of the leader where
/// there is one. Errors: Errc::invalid in patronictl's words; Errc::unsafe names the agents of
/// Howdah that still run: they would be left without a record of who leads.
Result<> agree_to_remove(const ha::Cluster& cluster, const std::string& name, std::istream& in,
                         std::ostream& out);

/// `howdah remove`: takes everything about the cluster out of the store.
Result<> run(const RemoveCommand& command, const config::AgentConfig& config);

}  // namespace howdah::cli
