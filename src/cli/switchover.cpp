#include "cli/switchover.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "api/overview.h"
#include "cli/ask_member.h"
#include "cli/local_time.h"
#include "cli/read_cluster.h"
#include "cli/table.h"

namespace howdah::cli {

namespace {

using Json = nlohmann::ordered_json;

/// The agent answers when it is over, at the latest after 2 * max(10, loop_wait) seconds.
constexpr Seconds patience{130};

std::string answer_to(const std::string& question, std::istream& in, std::ostream& out) {
    out << question << std::flush;
    std::string line;
    std::getline(in, line);
    return line;
}

std::string quoted_list(const std::vector<std::string>& names) {
    return names.empty() ? "[]" : fmt::format("['{}']", fmt::join(names, "', '"));
}

/// No agent answers: the request goes into the store, where the leader looks as well.
Result<> leave_in_store(const SwitchoverPlan& plan, const config::AgentConfig& config,
                        const std::string& name) {
    const auto text = render(ha::FailoverRequest{.leader = plan.failover ? "" : plan.leader,
                                                 .candidate = plan.candidate,
                                                 .scheduled_at = plan.scheduled});
    return write_key(config, name, "failover", text);
}

void print_topology(const ha::Cluster& cluster, const std::string& name) {
    std::cout << render_list(cluster, name, {});
}

}  // namespace

std::vector<std::string> candidates_of(const ha::Cluster& cluster) {
    std::vector<std::string> out;
    for (const auto& member : cluster.members) {
        if (member.name != cluster.leader_name() && !member.tags().nofailover) {
            out.push_back(member.name);
        }
    }
    std::ranges::sort(out);
    return out;
}

namespace {

std::string verb_of(const SwitchoverCommand& command) {
    return command.failover ? "failover" : "switchover";
}

/// Who leads, as the operator believes.
Result<std::string> agree_on_leader(const SwitchoverCommand& command, const ha::Cluster& cluster,
                                    const std::string& name, std::istream& in, std::ostream& out) {
    const auto& leader = cluster.leader_name();
    if (command.failover) {
        return leader;
    }
    if (leader.empty()) {
        return fail(Errc::invalid, "This cluster has no leader");
    }
    auto named = command.leader;
    if (named.empty() && !command.force) {
        const auto* title = api::mode_of(cluster).standby_cluster ? "Standby Leader" : "Primary";
        named = answer_to(fmt::format("{} [{}]: ", title, leader), in, out);
    }
    if (!named.empty() && named != leader) {
        return fail(Errc::invalid,
                    fmt::format("Member {} is not the leader of cluster {}", named, name));
    }
    return leader;
}

Result<std::string> agree_on_candidate(const SwitchoverCommand& command, const ha::Cluster& cluster,
                                       const std::string& name, std::istream& in,
                                       std::ostream& out) {
    const auto& leader = cluster.leader_name();
    // A claimer that finds no votes holds the key for a moment, again and again.
    const auto& record = cluster.record.record;
    if (command.accept_loss && !leader.empty() && command.candidate == leader && record &&
        record->state == ha::RecordState::claimed) {
        return leader;
    }
    const auto candidates = candidates_of(cluster);
    if (candidates.empty()) {
        return fail(Errc::invalid, fmt::format("No candidates found to {} to", verb_of(command)));
    }
    auto candidate = command.candidate;
    if (candidate.empty() && !command.force) {
        candidate = answer_to(fmt::format("Candidate {} []: ", quoted_list(candidates)), in, out);
    }
    if (candidate.empty()) {
        return command.failover
                   ? Result<std::string>(fail(
                         Errc::invalid, "Failover could be performed only to a specific candidate"))
                   : candidate;
    }
    if (candidate == leader) {
        return fail(Errc::invalid,
                    fmt::format("Member {} is already the leader of cluster {}", leader, name));
    }
    if (std::ranges::find(candidates, candidate) == candidates.end()) {
        return fail(Errc::invalid,
                    fmt::format("Member {} does not exist in cluster {} or is tagged as nofailover",
                                candidate, name));
    }
    return candidate;
}

Result<std::string> agree_on_time(const SwitchoverCommand& command, const ha::Cluster& cluster,
                                  std::istream& in, std::ostream& out) {
    auto when = command.scheduled;
    if (when.empty() && !command.force) {
        when = answer_to(fmt::format("When should the switchover take place (e.g. {} )  [now]: ",
                                     local_time(0).substr(0, 16).replace(10, 1, "T")),
                         in, out);
    }
    HD_TRY(auto time, scheduled_time(when));
    if (!time.empty() && api::mode_of(cluster).pause && !command.force) {
        return fail(Errc::invalid, "Can't schedule switchover in the paused state");
    }
    return time;
}

/// What may be lost is named, and the operator types who is to lead all the same.
Result<> accept_loss_in_words(const std::string& candidate, const ha::Cluster& cluster,
                              std::istream& in, std::ostream& out) {
    out << fmt::format(
        "{} will lead with what it has once {} has been silent for long enough. What "
        "only others hold is lost, acknowledged or not:\n",
        candidate, cluster.record.record ? cluster.record.record->holder_name : "the last leader");
    for (const auto& voter :
         cluster.record.record ? cluster.record.record->sync.voters : std::vector<ha::Voter>{}) {
        if (voter.name != candidate) {
            out << fmt::format("  {} is in the synchronous set\n", voter.name);
        }
    }
    for (const auto& member : cluster.members) {
        if (member.name != candidate && member.xlog_location) {
            out << fmt::format("  {} was at {} on timeline {}\n", member.name,
                               pg::Lsn(*member.xlog_location).text(), member.timeline);
        }
    }
    const auto typed = answer_to(fmt::format("Type {} to go on: ", candidate), in, out);
    return typed == candidate ? Result<>{}
                              : fail(Errc::cancelled, "the name differs; nothing is done");
}

}  // namespace

Result<SwitchoverPlan> plan_switchover(const SwitchoverCommand& command, const ha::Cluster& cluster,
                                       const std::string& name, std::istream& in,
                                       std::ostream& out) {
    SwitchoverPlan plan{.failover = command.failover, .accept_loss = command.accept_loss};
    HD_TRY(plan.leader, agree_on_leader(command, cluster, name, in, out));
    HD_TRY(plan.candidate, agree_on_candidate(command, cluster, name, in, out));
    if (!command.failover) {
        HD_TRY(plan.scheduled, agree_on_time(command, cluster, in, out));
    }
    if (command.accept_loss) {
        HD_TRY_VOID(accept_loss_in_words(plan.candidate, cluster, in, out));
        return plan;
    }
    if (command.force) {
        return plan;
    }
    const auto sure = answer_to(
        fmt::format("Are you sure you want to {} cluster {}{}? [y/N]: ", verb_of(command), name,
                    plan.leader.empty() ? "" : ", demoting current leader " + plan.leader),
        in, out);
    if (sure != "y" && sure != "Y" && sure != "yes") {
        return fail(Errc::cancelled, "Aborting " + verb_of(command));
    }
    return plan;
}

Result<io::HttpResponse> ask_for_switchover(const ha::Member& leader, const SwitchoverPlan& plan,
                                            const config::AgentConfig& config) {
    Json body = Json::object();
    if (!plan.failover) {
        body["leader"] = plan.leader;
    }
    if (!plan.candidate.empty()) {
        body["candidate"] = plan.candidate;
    }
    if (plan.accept_loss) {
        body["accept_loss"] = true;
    }
    if (!plan.scheduled.empty()) {
        body["scheduled_at"] = plan.scheduled;
    }
    return ask_member(leader, "POST", plan.failover ? "/failover" : "/switchover", body.dump(),
                      config, patience);
}

Result<int> run(const SwitchoverCommand& command, const config::AgentConfig& config,
                bool as_patronictl) {
    HD_TRY(const auto name, cluster_name(command.cluster, config));
    HD_TRY(const auto cluster, read_cluster(config, name));
    std::cout << "Current cluster topology\n";
    print_topology(cluster, name);
    HD_TRY(const auto plan, plan_switchover(command, cluster, name, std::cin, std::cout));
    const auto to_candidate = plan.leader.empty() || plan.accept_loss;
    const auto* leader = cluster.member(to_candidate ? plan.candidate : plan.leader);
    if (leader == nullptr) {
        return fail(
            Errc::unavailable,
            fmt::format("Member {} holds the leader key but has no member key", plan.leader),
            "its agent may have died just now; look again in a moment");
    }
    const auto answer = ask_for_switchover(*leader, plan, config);
    if (!answer && plan.accept_loss) {
        return fail(Errc::unavailable,
                    fmt::format("{} was not asked: {}", plan.candidate, answer.error().message),
                    "the candidate's own agent has to answer; start it");
    }
    if (!answer) {
        HD_TRY_VOID(leave_in_store(plan, config, name));
        std::cout << local_time(5) << " " << answer.error().message
                  << "; the request was left in the DCS\n";
        return 0;
    }
    if (answer->status != 200 && answer->status != 202) {
        const auto unknown = answer->body.contains("status unknown");
        std::cout << fmt::format(
            "{} {}, details: {}, {}\n", plan.failover ? "Failover" : "Switchover",
            unknown ? "result unknown" : "failed", answer->status, answer->body);
        return as_patronictl ? 0 : 1;
    }
    std::cout << local_time(5) << " " << answer->body << "\n";
    HD_TRY(const auto after, read_cluster(config, name));
    print_topology(after, name);
    return 0;
}

}  // namespace howdah::cli
