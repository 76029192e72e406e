#include "cli/remove.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>

#include "cli/ask.h"
#include "cli/read_cluster.h"
#include "cli/table.h"

namespace howdah::cli {

namespace {

constexpr auto phrase = "Yes I am aware";

std::vector<std::string> running_agents(const ha::Cluster& cluster) {
    std::vector<std::string> out;
    for (const auto& member : cluster.members) {
        if (!member.is_patroni() && member.state != "stopped") {
            out.push_back(member.name);
        }
    }
    return out;
}

}  // namespace

Result<> agree_to_remove(const ha::Cluster& cluster, const std::string& name, std::istream& in,
                         std::ostream& out) {
    if (const auto running = running_agents(cluster); !running.empty()) {
        return fail(Errc::unsafe,
                    fmt::format("the agents of {} still run", fmt::join(running, ", ")),
                    "stop them first: without the record of who leads they would stop serving");
    }
    HD_TRY(const auto given, ask("Please confirm the cluster name to remove", in, out));
    if (given != name) {
        return fail(Errc::invalid, "Cluster names specified do not match");
    }
    HD_TRY(const auto said,
           ask(fmt::format("You are about to remove all information in DCS for {}, please type: "
                           "\"{}\"",
                           name, phrase),
               in, out));
    if (said != phrase) {
        return fail(Errc::invalid, fmt::format("You did not exactly type \"{}\"", phrase));
    }
    if (const auto& leader = cluster.leader_name(); !leader.empty()) {
        HD_TRY(const auto named, ask("This cluster currently is healthy. Please specify the leader "
                                     "name to continue",
                                     in, out));
        if (named != leader) {
            return fail(Errc::invalid, "You did not specify the current leader of the cluster");
        }
    }
    return {};
}

Result<> run(const RemoveCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto format, parse_format(command.format));
    HD_TRY(const auto cluster, read_cluster(config, command.cluster));
    std::cout << render_list(cluster, command.cluster, {.format = format});
    HD_TRY_VOID(agree_to_remove(cluster, command.cluster, std::cin, std::cout));
    return remove_cluster(config, command.cluster);
}

}  // namespace howdah::cli
