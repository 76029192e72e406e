#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/up_prepare.h"
#include "config/agent_config.h"
#include "ha/cluster.h"

namespace howdah::cli {

/// The processes of one cluster in D, started and watched but never restarted.
class UpCluster {
public:
    explicit UpCluster(UpPrepared prepared);

    const UpLayout& layout() const { return up_.layout; }
    std::string endpoint_dsn() const;

    /// etcd (when it is a single one), the agents, the endpoint.
    Result<> start();
    using Tell = std::function<void(const std::string& line)>;
    /// A leader runs, the others stream from it, the endpoint takes a row. `tell` gets a line for
    /// each. Errors: Errc::timeout or Errc::unavailable with the last lines of the log that may say
    /// why.
    Result<> wait_healthy(Millis limit, const Tell& tell);

    /// What the store says now; nullopt when it doesn't answer.
    std::optional<ha::Cluster> look() const;

    // What the keys of the screen do; each returns what it did, in one line.
    std::string kill_primary();     ///< agent and postmaster, -9
    std::string kill_postmaster();  ///< of the primary, -9
    std::string bring_back();       ///< starts the agents that don't run
    std::string
    switch_over();  ///< asks the leader's agent, which picks the standby; waits for the answer

private:
    Result<> start_agent(const UpHost& member);
    Result<> none_ended() const;
    const UpHost* leader_host() const;

    UpPrepared up_;
    config::AgentConfig config_{};
    std::map<std::string, pid_t> agents_{};
    pid_t endpoint_ = 0;
    pid_t etcd_ = 0;
};

}  // namespace howdah::cli
