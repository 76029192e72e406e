#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"
#include "ha/cluster.h"
#include "io/http.h"

namespace howdah::cli {

/// restart, reload, reinit, flush: what is asked of single members, in patronictl's words
/// (patroni-compatibility.md 4.2).

/// Where a verb speaks with its operator and with the members.
struct Counter {
    std::istream& in;
    std::ostream& out;
    std::function<Result<io::HttpResponse>(const ha::Member& member, const std::string& method,
                                           const std::string& path, const std::string& body)>
        ask{};
    /// Drops the scheduled switchover from the store, where no agent does it.
    std::function<Result<>()> clear_failover{};
    std::function<void(Seconds)> pause{};
};

/// True when every member did what was asked. Errors: Errc::invalid in patronictl's words,
/// Errc::cancelled when the operator said no.
Result<bool> restart_members(const RestartCommand& command, const ha::Cluster& cluster,
                             const Counter& at);
Result<bool> reload_members(const ReloadCommand& command, const ha::Cluster& cluster,
                            const Counter& at);
Result<bool> reinit_members(const ReinitCommand& command, const ha::Cluster& cluster,
                            const Counter& at);
Result<bool> flush_members(const FlushCommand& command, const ha::Cluster& cluster,
                           const Counter& at);

Result<bool> run(const RestartCommand& command, const config::AgentConfig& config);
Result<bool> run(const ReloadCommand& command, const config::AgentConfig& config);
Result<bool> run(const ReinitCommand& command, const config::AgentConfig& config);
Result<bool> run(const FlushCommand& command, const config::AgentConfig& config);

}  // namespace howdah::cli
