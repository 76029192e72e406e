#include "cli/pause.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>

#include "api/overview.h"
#include "cli/ask_member.h"
#include "cli/pick_members.h"
#include "cli/read_cluster.h"
#include "config/dynamic_config.h"

namespace howdah::cli {

namespace {

std::vector<std::string> not_there_yet(const ha::Cluster& cluster, bool pause) {
    std::vector<std::string> out;
    for (const auto& member : cluster.members) {
        if (member.pause != pause) {
            out.push_back(member.name);
        }
    }
    return out;
}

Seconds loop_wait_of(const ha::Cluster& cluster) {
    const auto read = config::read_dynamic_config(cluster.config_json);
    return read ? read->config.loop_wait : Seconds(10);
}

Result<> await_all(const PauseCommand& command, const config::AgentConfig& config,
                   const std::string& name, Seconds patience) {
    fmt::print("'{}' request sent, waiting until it is recognized by all nodes\n",
               command.pause ? "pause" : "resume");
    std::fflush(stdout);
    const auto end = std::chrono::steady_clock::now() + patience;
    while (true) {
        HD_TRY(const auto cluster, read_cluster(config, name));
        const auto missing = not_there_yet(cluster, command.pause);
        if (missing.empty()) {
            return {};
        }
        if (std::chrono::steady_clock::now() > end) {
            const auto& record = cluster.record.record;
            const auto led = !command.pause && record && record->paused &&
                             std::ranges::find(missing, record->holder_name) != missing.end();
            return fail(
                Errc::timeout,
                fmt::format("{} did not recognize it within {} s", fmt::join(missing, ", "),
                            patience.count()),
                led ? fmt::format("the request stands; {} led in the pause, and nobody takes "
                                  "over before its agent runs again (`howdah explain`)",
                                  record->holder_name)
                    : "the request stands; look again with list");
        }
        std::this_thread::sleep_for(Millis(200));
    }
}

}  // namespace

Result<> run(const PauseCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto name, cluster_name(command.cluster, config));
    HD_TRY(const auto cluster, read_cluster(config, name));
    if (api::mode_of(cluster).pause == command.pause) {
        return fail(Errc::invalid,
                    command.pause ? "Cluster is already paused" : "Cluster is not paused");
    }
    const auto* body = command.pause ? R"({"pause":true})" : R"({"pause":null})";
    for (const auto& member : members_with_role(cluster, "any")) {
        const auto answer = ask_member(member, "PATCH", "/config", body, config);
        if (!answer) {
            fmt::print(stderr, "warning: {}\n", answer.error().message);
            continue;
        }
        if (answer->status != 200) {
            return fail(
                Errc::invalid,
                fmt::format("Failed: {} cluster management status code={}, ({})",
                            command.pause ? "pause" : "resume", answer->status, answer->body));
        }
        if (command.wait) {
            HD_TRY_VOID(await_all(command, config, name, loop_wait_of(cluster) + Seconds(1)));
        }
        fmt::print("Success: cluster management is {}\n", command.pause ? "paused" : "resumed");
        return {};
    }
    return fail(Errc::unavailable, "Can not find accessible cluster member",
                "a member's agent must answer at its restapi.connect_address");
}

}  // namespace howdah::cli
