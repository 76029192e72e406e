#include "cli/dcs_recover.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/ask_member.h"
#include "cli/read_cluster.h"

namespace howdah::cli {
namespace {

constexpr Seconds answer_limit{3};
constexpr Seconds patience{90};

/// The answer of one member in a few words, and whether it takes part.
struct Answered {
    std::string name{}, text{};
    bool takes_part = false;
};

Answered ask(const ha::Member& member, const std::vector<std::string>& missing,
             const config::AgentConfig& config) {
    const auto body = nlohmann::json{{"missing", missing}}.dump();
    const auto answer = ask_member(member, "POST", "/howdah/recover", body, config, answer_limit);
    return {.name = member.name,
            .text = answer ? answer->body : answer.error().message,
            .takes_part = answer && answer->status == 202};
}

Result<> confirm(const std::vector<std::string>& missing) {
    const auto names = fmt::format("{}", fmt::join(missing, " "));
    std::cout << "What only these members hold will be lost, acknowledged or not: " << names
              << "\nType their names to go on: " << std::flush;
    std::string typed;
    std::getline(std::cin, typed);
    return typed == names ? Result<>{} : fail(Errc::cancelled, "the names differ; nothing is done");
}

/// Until somebody leads; the record of it.
Result<ha::Record> await_leader(const config::AgentConfig& config) {
    const io::SystemClock clock;
    const auto until = clock.now() + Nanos(patience);
    while (clock.now() < until) {
        const auto cluster = read_cluster(config, config.scope);
        if (cluster && cluster->record.record &&
            cluster->record.record->state == ha::RecordState::primary) {
            return *cluster->record.record;
        }
        std::this_thread::sleep_for(Millis(300));
    }
    return fail(Errc::timeout, fmt::format("nobody leads after {} s", patience.count()),
                "`howdah explain` tells what each member waits for; members that will not come "
                "back are named by --missing");
}

}  // namespace

Result<> run(const DcsRecoverCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto cluster, read_cluster(config, config.scope));
    if (cluster.members.empty()) {
        return fail(Errc::not_found, fmt::format("cluster {} has no members", config.scope),
                    "start the agents: each writes its own key into the store again");
    }
    if (command.dry_run) {
        for (const auto& member : cluster.members) {
            fmt::print("{} would be asked at {}\n", member.name, member.api_url);
        }
        return {};
    }
    if (!command.missing.empty() && !command.force) {
        HD_TRY_VOID(confirm(command.missing));
    }
    bool any = false;
    for (const auto& member : cluster.members) {
        const auto answered = ask(member, command.missing, config);
        any = any || answered.takes_part;
        fmt::print("{}: {}\n", answered.name, answered.text);
    }
    if (!any) {
        return fail(Errc::unavailable, "no member takes part: see what each answered");
    }
    fmt::print("waiting until one of them leads\n");
    std::fflush(stdout);
    HD_TRY(const auto record, await_leader(config));
    fmt::print("{} leads epoch {} on timeline {}\n", record.holder_name, record.epoch,
               record.timeline);
    return {};
}

}  // namespace howdah::cli
