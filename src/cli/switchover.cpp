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

bool has_nofailover(const ha::Member& member) {
    const auto tags = api::object_of(member.tags_json);
    const auto tag = tags.find("nofailover");
    return tag != tags.end() && (*tag == true || *tag == "true");
}

std::string quoted_list(const std::vector<std::string>& names) {
    return names.empty() ? "[]" : fmt::format("['{}']", fmt::join(names, "', '"));
}

/// No agent answers: the request goes into the store, where the leader looks as well.
Result<> leave_in_store(const SwitchoverPlan& plan, const config::AgentConfig& config,
                        const std::string& name) {
    const auto text = render(ha::FailoverRequest{
        .leader = plan.leader, .candidate = plan.candidate, .scheduled_at = plan.scheduled});
    return write_key(config, name, "failover", text);
}

void print_topology(const ha::Cluster& cluster, const std::string& name) {
    std::cout << render_list(cluster, name, {});
}

}  // namespace

std::vector<std::string> candidates_of(const ha::Cluster& cluster) {
    std::vector<std::string> out;
    for (const auto& member : cluster.members) {
        if (member.name != cluster.leader_name() && !has_nofailover(member)) {
            out.push_back(member.name);
        }
    }
    std::ranges::sort(out);
    return out;
}

Result<SwitchoverPlan> plan_switchover(const SwitchoverCommand& command, const ha::Cluster& cluster,
                                       const std::string& name, std::istream& in,
                                       std::ostream& out) {
    const auto& leader = cluster.leader_name();
    if (leader.empty()) {
        return fail(Errc::invalid, "This cluster has no leader");
    }
    SwitchoverPlan plan{
        .leader = command.leader, .candidate = command.candidate, .scheduled = command.scheduled};
    if (plan.leader.empty() && !command.force) {
        const auto* title = api::mode_of(cluster).standby_cluster ? "Standby Leader" : "Primary";
        plan.leader = answer_to(fmt::format("{} [{}]: ", title, leader), in, out);
    }
    plan.leader = plan.leader.empty() ? leader : plan.leader;
    if (plan.leader != leader) {
        return fail(Errc::invalid,
                    fmt::format("Member {} is not the leader of cluster {}", plan.leader, name));
    }
    const auto candidates = candidates_of(cluster);
    if (candidates.empty()) {
        return fail(Errc::invalid, "No candidates found to switchover to");
    }
    if (plan.candidate.empty() && !command.force) {
        plan.candidate =
            answer_to(fmt::format("Candidate {} []: ", quoted_list(candidates)), in, out);
    }
    if (!plan.candidate.empty() && plan.candidate == leader) {
        return fail(Errc::invalid,
                    fmt::format("Member {} is already the leader of cluster {}", leader, name));
    }
    if (!plan.candidate.empty() &&
        std::ranges::find(candidates, plan.candidate) == candidates.end()) {
        return fail(Errc::invalid,
                    fmt::format("Member {} does not exist in cluster {} or is tagged as nofailover",
                                plan.candidate, name));
    }
    if (command.force) {
        return plan;
    }
    if (plan.scheduled.empty()) {
        plan.scheduled =
            answer_to(fmt::format("When should the switchover take place (e.g. {} )  [now]: ",
                                  local_time(0).substr(0, 16).replace(10, 1, "T")),
                      in, out);
        plan.scheduled = plan.scheduled == "now" ? "" : plan.scheduled;
    }
    if (!plan.scheduled.empty() && api::mode_of(cluster).pause) {
        return fail(Errc::invalid, "Can't schedule switchover in the paused state");
    }
    const auto sure = answer_to(
        fmt::format(
            "Are you sure you want to switchover cluster {}, demoting current leader {}? [y/N]: ",
            name, leader),
        in, out);
    if (sure != "y" && sure != "Y" && sure != "yes") {
        return fail(Errc::cancelled, "Aborting switchover");
    }
    return plan;
}

Result<io::HttpResponse> ask_for_switchover(const ha::Member& leader, const SwitchoverPlan& plan,
                                            const config::AgentConfig& config) {
    Json body{{"leader", plan.leader}};
    if (!plan.candidate.empty()) {
        body["candidate"] = plan.candidate;
    }
    if (!plan.scheduled.empty()) {
        body["scheduled_at"] = plan.scheduled;
    }
    return ask_member(leader, "POST", "/switchover", body.dump(), config, patience);
}

Result<int> run(const SwitchoverCommand& command, const config::AgentConfig& config,
                bool as_patronictl) {
    HD_TRY(const auto name, cluster_name(command.cluster, config));
    HD_TRY(const auto cluster, read_cluster(config, name));
    std::cout << "Current cluster topology\n";
    print_topology(cluster, name);
    HD_TRY(const auto plan, plan_switchover(command, cluster, name, std::cin, std::cout));
    const auto* leader = cluster.member(plan.leader);
    if (leader == nullptr) {
        return fail(
            Errc::unavailable,
            fmt::format("Member {} holds the leader key but has no member key", plan.leader),
            "its agent may have died just now; look again in a moment");
    }
    const auto answer = ask_for_switchover(*leader, plan, config);
    if (!answer) {
        HD_TRY_VOID(leave_in_store(plan, config, name));
        std::cout << local_time(5) << " " << answer.error().message
                  << "; the request was left in the DCS\n";
        return 0;
    }
    if (answer->status != 200 && answer->status != 202) {
        const auto unknown = answer->body.contains("status unknown");
        std::cout << fmt::format("Switchover {}, details: {}, {}\n",
                                 unknown ? "result unknown" : "failed", answer->status,
                                 answer->body);
        return as_patronictl ? 0 : 1;
    }
    std::cout << local_time(5) << " " << answer->body << "\n";
    HD_TRY(const auto after, read_cluster(config, name));
    print_topology(after, name);
    return 0;
}

}  // namespace howdah::cli
