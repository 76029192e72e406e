#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"
#include "ha/cluster.h"
#include "io/http.h"

namespace howdah::cli {

/// Whom and whence, after the checks of patroni-compatibility.md 4.4.
struct SwitchoverPlan {
    bool failover = false;
    std::string leader{};
    std::string candidate{};  ///< empty: the leader's agent picks
    std::string scheduled{};
    bool accept_loss = false;
};

/// Members that may be asked for: not the leader, without nofailover; sorted.
std::vector<std::string> candidates_of(const ha::Cluster& cluster);

/// The dialogue: asks on `out` and reads answers from `in` unless forced. Errors: Errc::invalid in
/// patronictl's words; Errc::cancelled "Aborting switchover".
Result<SwitchoverPlan> plan_switchover(const SwitchoverCommand& command, const ha::Cluster& cluster,
                                       const std::string& name, std::istream& in,
                                       std::ostream& out);

/// POSTs the plan to the agent of the leader and waits for its answer, which may take half a
/// minute.
Result<io::HttpResponse> ask_for_switchover(const ha::Member& leader, const SwitchoverPlan& plan,
                                            const config::AgentConfig& config);

/// `howdah switchover`. The exit code: 0 done; a refusal is printed, and 1, or 0 under patronictl's
/// name.
Result<int> run(const SwitchoverCommand& command, const config::AgentConfig& config,
                bool as_patronictl);

}  // namespace howdah::cli
