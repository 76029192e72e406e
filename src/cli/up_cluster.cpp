#include "cli/up_cluster.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <vector>

#include "cli/read_cluster.h"
#include "cli/switchover.h"
#include "cli/up_load.h"
#include "cli/up_processes.h"
#include "io/files.h"

namespace howdah::cli {

namespace {

constexpr std::size_t log_lines = 8;

Error with_log(Error error, const std::string& log) {
    error.hint = fmt::format("the last lines of {}:\n{}", log, tail_of(log, log_lines));
    return error;
}

bool leads(const ha::Cluster& cluster, const ha::Member& m) {
    return m.name == cluster.leader_name() && m.state == "running" && m.role == "primary";
}

}  // namespace

UpCluster::UpCluster(UpPrepared prepared) : up_(std::move(prepared)) {
    config_.file = up_.layout.proxy_config();
    config_.scope = up_scope;
    config_.etcd.emplace();
    for (const auto& address : up_.layout.etcd_addresses()) {
        config_.etcd->hosts.push_back({.host = address, .port = 2379});
    }
}

std::string UpCluster::endpoint_dsn() const {
    return fmt::format("host={} port={} dbname=postgres user=postgres password={}",
                       up_.layout.endpoint.address, read_write_port, up_.superuser_password);
}

Result<> UpCluster::start_agent(const UpHost& member) {
    HD_TRY(agents_[member.name],
           start_daemon({up_.binary, "agent", member.config()}, member.log()));
    return {};
}

Result<> UpCluster::start() {
    const auto& layout = up_.layout;
    if (layout.one_etcd) {
        HD_TRY(etcd_, start_daemon(single_etcd_command(layout), layout.etcd_log()));
        HD_TRY_VOID(io::write_file_atomically(layout.etcd_pid_file(), fmt::format("{}\n", etcd_)));
    }
    for (const auto& member : layout.members) {
        HD_TRY_VOID(start_agent(member));
    }
    HD_TRY(endpoint_, start_daemon({up_.binary, "proxy", layout.proxy_config(), "--pid-file",
                                    layout.proxy_pid_file()},
                                   layout.proxy_log()));
    return {};
}

Result<> UpCluster::none_ended() const {
    if (etcd_ != 0 && !lives(etcd_)) {
        return std::unexpected(with_log({Errc::unavailable, "etcd ended"}, up_.layout.etcd_log()));
    }
    if (endpoint_ != 0 && !lives(endpoint_)) {
        return std::unexpected(
            with_log({Errc::unavailable, "the endpoint ended"}, up_.layout.proxy_log()));
    }
    for (const auto& member : up_.layout.members) {
        if (const auto agent = agents_.find(member.name);
            agent != agents_.end() && !lives(agent->second)) {
            return std::unexpected(with_log(
                {Errc::unavailable, "the agent of " + member.name + " ended"}, member.log()));
        }
    }
    return {};
}

std::optional<ha::Cluster> UpCluster::look() const {
    auto cluster = read_cluster(config_, up_scope);
    return cluster ? std::optional(*std::move(cluster)) : std::nullopt;
}

Result<> UpCluster::wait_healthy(Millis limit, const Tell& tell) {
    std::set<std::string> told;
    const auto tell_once = [&](const std::string& line) {
        if (told.insert(line).second) {
            tell(line);
        }
    };
    std::size_t ready = 0;
    std::string why = "etcd doesn't answer";
    const auto healthy = [&] {
        const auto cluster = look();
        if (!cluster) {
            return !none_ended().has_value();
        }
        tell_once("etcd answers");
        ready = 0;
        for (const auto& m : cluster->members) {
            const bool is_leader = leads(*cluster, m);
            if (is_leader || m.replication_state == "streaming") {
                ++ready;
                tell_once(is_leader ? fmt::format("{} leads on timeline {}", m.name, m.timeline)
                                    : fmt::format("{} streams", m.name));
            } else if (!m.state.empty()) {
                tell_once(fmt::format("{}: {}", m.name, m.state));
            }
        }
        why = fmt::format("{} of {} members are ready", ready, up_.layout.members.size());
        if (ready < up_.layout.members.size()) {
            return !none_ended().has_value();
        }
        why = "the endpoint: " + why_not_writable(endpoint_dsn(), Seconds(2));
        return why == "the endpoint: " || !none_ended().has_value();
    };
    const bool ended = wait_until(limit, healthy);
    HD_TRY_VOID(none_ended());
    if (!ended) {
        const auto* leader = leader_host();
        return std::unexpected(with_log(
            {Errc::timeout, fmt::format("not healthy after {} s: {}", limit.count() / 1000, why)},
            leader != nullptr && ready == up_.layout.members.size()
                ? up_.layout.proxy_log()
                : up_.layout.members.front().log()));
    }
    tell_once(
        fmt::format("endpoint {}:{} takes writes", up_.layout.endpoint.address, read_write_port));
    return {};
}

const UpHost* UpCluster::leader_host() const {
    const auto cluster = look();
    const auto name = cluster ? cluster->leader_name() : "";
    const auto it = std::ranges::find(up_.layout.members, name, &UpHost::name);
    return it != up_.layout.members.end() ? &*it : nullptr;
}

std::string UpCluster::kill_postmaster() {
    const auto* host = leader_host();
    const auto pid = host != nullptr
                         ? living_pid(host->data_dir() + "/postmaster.pid", up_.layout.dir)
                         : std::nullopt;
    if (!pid) {
        return "there is no primary to kill";
    }
    ::kill(*pid, SIGKILL);
    return fmt::format("killed the postmaster of {} (process {}) with -9", host->name, *pid);
}

std::string UpCluster::kill_primary() {
    const auto* host = leader_host();
    const auto agent =
        host != nullptr ? living_pid(host->pid_file(), up_.layout.dir) : std::nullopt;
    const auto postmaster = host != nullptr
                                ? living_pid(host->data_dir() + "/postmaster.pid", up_.layout.dir)
                                : std::nullopt;
    if (!agent && !postmaster) {
        return "there is no primary to kill";
    }
    for (const auto& pid : {agent, postmaster}) {
        if (pid) {
            ::kill(*pid, SIGKILL);
        }
    }
    return fmt::format("killed agent and postmaster of {} with -9; b brings it back", host->name);
}

std::string UpCluster::bring_back() {
    std::string names;
    for (const auto& member : up_.layout.members) {
        if (living_pid(member.pid_file(), up_.layout.dir)) {
            continue;
        }
        const auto started = start_agent(member);
        names += (names.empty() ? "" : ", ") + (started ? member.name : started.error().message);
    }
    return names.empty() ? "all agents run" : "started the agent of " + names;
}

std::string UpCluster::switch_over() {
    const auto cluster = look();
    const auto* leader = cluster ? cluster->member(cluster->leader_name()) : nullptr;
    if (leader == nullptr) {
        return "there is no leader to ask";
    }
    const auto* host = leader_host();
    auto config = host != nullptr
                      ? config::load_agent_config(host->config(), config::Purpose::operator_verb)
                      : Result<config::AgentConfig>(config_);
    if (!config) {
        return config.error().message;
    }
    const auto answer = ask_for_switchover(*leader, {.leader = leader->name}, *config);
    return answer ? answer->body : answer.error().message;
}

}  // namespace howdah::cli
