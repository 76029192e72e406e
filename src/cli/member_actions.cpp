#include "cli/member_actions.h"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/overview.h"
#include "cli/ask.h"
#include "cli/ask_member.h"
#include "cli/local_time.h"
#include "cli/pick_members.h"
#include "cli/read_cluster.h"
#include "cli/table.h"
#include "config/dynamic_config.h"

namespace howdah::cli {

using Json = nlohmann::ordered_json;

namespace {

constexpr Seconds restart_patience{3600};
constexpr Seconds wait_every{2};
constexpr int most_waits = 24 * 3600 / 2;

/// `words`: "No WORDS among provided members".
Result<std::vector<ha::Member>> choose(const MemberChoice& of, const ha::Cluster& cluster,
                                       const std::string& words) {
    auto all = members_with_role(cluster, of.role.empty() ? "any" : of.role);
    std::ranges::sort(all, {}, &ha::Member::name);
    if (all.empty() && of.members.empty()) {
        return fail(Errc::invalid, of.cluster + " cluster doesn't have any members");
    }
    if (!of.members.empty()) {
        std::erase_if(all, [&](const ha::Member& m) {
            return std::ranges::find(of.members, m.name) == of.members.end();
        });
    }
    return all.empty() ? Result<std::vector<ha::Member>>(
                             fail(Errc::invalid, "No " + words + " among provided members"))
                       : all;
}

std::string quoted_role(const MemberChoice& of) {
    return "'" + (of.role.empty() ? "any" : of.role) + "'";
}

std::string names_of(const std::vector<ha::Member>& members) {
    std::vector<std::string> names;
    for (const auto& member : members) {
        names.push_back(member.name);
    }
    return fmt::format("{}", fmt::join(names, ", "));
}

/// "Are you sure you want to restart members n1, n2?"
Result<> agree(const std::string& action, const std::vector<ha::Member>& members,
               const std::string& tail, const MemberChoice& of, const Counter& at) {
    if (of.force) {
        return {};
    }
    HD_TRY(const bool yes, confirm(fmt::format("Are you sure you want to {} members {}{}?", action,
                                               names_of(members), tail),
                                   at.in, at.out));
    if (!yes) {
        return fail(Errc::cancelled, "Aborted " + (tail.empty() ? action : std::string("restart")));
    }
    return {};
}

/// Prints a refusal as patronictl does; false.
bool refused(const Counter& at, const std::string& action, const std::string& name,
             const Result<io::HttpResponse>& answer) {
    if (answer) {
        fmt::print(at.out, "Failed: {} for member {}, status code={}, ({})\n", action, name,
                   answer->status, answer->body);
    } else {
        fmt::print(at.out, "Failed: {} for member {}, ({})\n", action, name,
                   answer.error().message);
    }
    return false;
}

bool is(const Result<io::HttpResponse>& answer, int status) {
    return answer && answer->status == status;
}

/// The body of POST /restart.
std::string restart_body(const RestartCommand& command, const std::string& when,
                         const std::string& version) {
    Json body = Json::object();
    if (!when.empty()) {
        body["schedule"] = when;
    }
    if (!version.empty()) {
        body["postgres_version"] = version;
    }
    if (command.pending) {
        body["restart_pending"] = true;
    }
    if (!command.timeout.empty()) {
        body["timeout"] = command.timeout;
    }
    return body.empty() ? "" : body.dump();
}

Result<std::string> time_of_restart(const RestartCommand& command, const ha::Cluster& cluster,
                                    const Counter& at) {
    auto when = command.scheduled;
    if (when.empty() && !command.of.force) {
        HD_TRY(when, ask(fmt::format("When should the restart take place (e.g. {})  [now]",
                                     local_time(0).substr(0, 16).replace(10, 1, "T")),
                         at.in, at.out));
    }
    HD_TRY(auto time, scheduled_time(when));
    if (!time.empty() && api::mode_of(cluster).pause) {
        return fail(Errc::invalid, "Can't schedule restart in the paused state");
    }
    return time;
}

}  // namespace

Result<bool> restart_members(const RestartCommand& command, const ha::Cluster& cluster,
                             const Counter& at) {
    at.out << render_list(cluster, command.of.cluster, {});
    HD_TRY(auto members, choose(command.of, cluster, quoted_role(command.of)));
    if (command.pending) {
        std::erase_if(members, [](const ha::Member& m) { return !m.pending_restart; });
    }
    if (command.any && members.size() > 1) {
        members.resize(1);
    }
    if (members.empty()) {
        return true;
    }
    HD_TRY(const auto when, time_of_restart(command, cluster, at));
    HD_TRY_VOID(agree(when.empty() ? "restart" : "schedule restart of", members,
                      when.empty() ? "" : " at " + when, command.of, at));
    auto version = command.below_version.value_or("");
    if (!command.below_version && !command.of.force) {
        HD_TRY(version,
               ask("Restart if the PostgreSQL version is less than provided (e.g. 9.5.2)  []",
                   at.in, at.out));
    }
    const auto body = restart_body(command, when, version);
    bool all = true;
    for (const auto& member : members) {
        const auto answer = at.ask(member, "POST", "/restart", body);
        if (is(answer, 200)) {
            fmt::print(at.out, "Success: restart on member {}\n", member.name);
        } else if (is(answer, 202)) {
            fmt::print(at.out, "Success: restart scheduled on member {}\n", member.name);
        } else if (is(answer, 409)) {
            fmt::print(at.out, "Failed: another restart is already scheduled on member {}\n",
                       member.name);
            all = false;
        } else {
            all = refused(at, "restart", member.name, answer);
        }
        at.out << std::flush;
    }
    return all;
}

Result<bool> reload_members(const ReloadCommand& command, const ha::Cluster& cluster,
                            const Counter& at) {
    at.out << render_list(cluster, command.of.cluster, {});
    HD_TRY(const auto members, choose(command.of, cluster, quoted_role(command.of)));
    HD_TRY_VOID(agree("reload", members, "", command.of, at));
    const auto read = config::read_dynamic_config(cluster.config_json);
    const auto loop_wait = read ? read->config.loop_wait : Seconds(10);
    bool all = true;
    for (const auto& member : members) {
        const auto answer = at.ask(member, "POST", "/reload", "");
        if (is(answer, 202)) {
            fmt::print(at.out,
                       "Reload request received for member {} and will be processed within {} "
                       "seconds\n",
                       member.name, loop_wait.count());
        } else if (is(answer, 200)) {
            fmt::print(at.out, "No changes to apply on member {}\n", member.name);
        } else {
            all = refused(at, "reload", member.name, answer);
        }
    }
    return all;
}

namespace {

/// Which members, when the operator named none.
Result<> name_members(ReinitCommand& command, const ha::Cluster& cluster, const Counter& at) {
    if (!command.of.members.empty()) {
        return {};
    }
    HD_TRY(const auto all, choose(command.of, cluster, command.of.role));
    HD_TRY(const auto name,
           ask(fmt::format("Which member do you want to reinitialize [{}]? []", names_of(all)),
               at.in, at.out));
    if (std::ranges::find(all, name, &ha::Member::name) == all.end()) {
        return fail(Errc::invalid, name + " is not a member of cluster");
    }
    command.of.members = {name};
    return {};
}

Result<bool> reinit(const ha::Member& member, const ReinitCommand& command, const Counter& at) {
    Json body{{"force", false}, {"from_leader", command.from_leader}};
    auto answer = at.ask(member, "POST", "/reinitialize", body.dump());
    const bool busy = is(answer, 503) && answer->body.ends_with(" already in progress");
    if (busy && !command.of.force) {
        HD_TRY(const bool yes,
               confirm(answer->body + ". Do you want to cancel it and reinitialize anyway?", at.in,
                       at.out));
        if (yes) {
            body["force"] = true;
            answer = at.ask(member, "POST", "/reinitialize", body.dump());
        }
    }
    if (!is(answer, 200)) {
        return refused(at, "reinitialize", member.name, answer);
    }
    fmt::print(at.out, "Success: reinitialize for member {}\n", member.name);
    return true;
}

void await_copies(std::vector<ha::Member> members, const Counter& at) {
    fmt::print(at.out, "Waiting for reinitialize to complete on: {}\n", names_of(members));
    for (int i = 0; !members.empty() && i < most_waits; ++i) {
        at.pause(wait_every);
        std::erase_if(members, [&](const ha::Member& member) {
            const auto answer = at.ask(member, "GET", "/patroni", "");
            const auto document = api::object_of(answer ? answer->body : "");
            const auto state = document.value("state", "");
            const bool over = answer.has_value() && state != "creating replica";
            if (over) {
                fmt::print(at.out, "Reinitialize is completed on: {}\n", member.name);
            }
            return over;
        });
        at.out << std::flush;
    }
}

}  // namespace

Result<bool> reinit_members(const ReinitCommand& given, const ha::Cluster& cluster,
                            const Counter& at) {
    auto command = given;
    at.out << render_list(cluster, command.of.cluster, {});
    HD_TRY_VOID(name_members(command, cluster, at));
    HD_TRY(const auto members, choose(command.of, cluster, command.of.role));
    HD_TRY_VOID(agree("reinitialize", members, "", command.of, at));
    std::vector<ha::Member> begun;
    for (const auto& member : members) {
        HD_TRY(const bool done, reinit(member, command, at));
        if (done) {
            begun.push_back(member);
        }
    }
    if (command.wait && !begun.empty()) {
        await_copies(begun, at);
    }
    return begun.size() == members.size();
}

namespace {

Result<bool> flush_restarts(const FlushCommand& command, const ha::Cluster& cluster,
                            const Counter& at) {
    at.out << render_list(cluster, command.of.cluster, {});
    HD_TRY(const auto members, choose(command.of, cluster, quoted_role(command.of)));
    HD_TRY_VOID(agree("flush", members, "", command.of, at));
    bool all = true;
    for (const auto& member : members) {
        if (member.scheduled_restart_json.empty()) {
            fmt::print(at.out, "No scheduled restart for member {}\n", member.name);
            continue;
        }
        const auto answer = at.ask(member, "DELETE", "/restart", "");
        if (is(answer, 200)) {
            fmt::print(at.out, "Success: flush scheduled restart for member {}\n", member.name);
        } else {
            all = refused(at, "flush scheduled restart", member.name, answer);
        }
    }
    return all;
}

Result<bool> flush_switchover(const ha::Cluster& cluster, const Counter& at) {
    if (cluster.failover.scheduled_at.empty()) {
        fmt::print(at.out, "No pending scheduled switchover\n");
        return true;
    }
    for (const auto& member : members_with_role(cluster, "any")) {
        const auto answer = at.ask(member, "DELETE", "/switchover", "");
        if (!answer) {
            continue;
        }
        if (answer->status == 200 || answer->status == 404) {
            fmt::print(at.out, "{}: {}\n", answer->status == 200 ? "Success" : "Failed",
                       answer->body);
            return answer->status == 200;
        }
        (void)refused(at, "flush switchover", member.name, answer);
    }
    fmt::print(at.out, "Failed: no member answers; the key is cleared in the store\n");
    HD_TRY_VOID(at.clear_failover());
    return true;
}

Counter counter_for(const config::AgentConfig& config, const std::string& cluster,
                    std::int64_t failover_revision) {
    return {.in = std::cin,
            .out = std::cout,
            .ask =
                [&config](const ha::Member& member, const std::string& method,
                          const std::string& path, const std::string& body) {
                    const auto limit = path == "/restart" ? Nanos(restart_patience) : Seconds(10);
                    return ask_member(member, method, path, body, config, limit);
                },
            .clear_failover =
                [&config, cluster, failover_revision] {
                    return replace_key(config, cluster, "failover", failover_revision, "{}");
                },
            .pause = [](Seconds time) { std::this_thread::sleep_for(time); }};
}

}  // namespace

Result<bool> flush_members(const FlushCommand& command, const ha::Cluster& cluster,
                           const Counter& at) {
    return command.target == "restart" ? flush_restarts(command, cluster, at)
                                       : flush_switchover(cluster, at);
}

Result<bool> run(const RestartCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto cluster, read_cluster(config, command.of.cluster));
    return restart_members(command, cluster, counter_for(config, command.of.cluster, 0));
}

Result<bool> run(const ReloadCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto cluster, read_cluster(config, command.of.cluster));
    return reload_members(command, cluster, counter_for(config, command.of.cluster, 0));
}

Result<bool> run(const ReinitCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto cluster, read_cluster(config, command.of.cluster));
    return reinit_members(command, cluster, counter_for(config, command.of.cluster, 0));
}

Result<bool> run(const FlushCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto cluster, read_cluster(config, command.of.cluster));
    return flush_members(command, cluster,
                         counter_for(config, command.of.cluster, cluster.failover.revision));
}

}  // namespace howdah::cli
