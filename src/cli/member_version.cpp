#include "cli/member_version.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/overview.h"
#include "api/status_document.h"
#include "base/version.h"
#include "cli/ask_member.h"
#include "cli/config_file.h"
#include "cli/pick_members.h"
#include "cli/read_cluster.h"

namespace howdah::cli {

namespace {

std::string line_of(const ha::Member& member, const config::AgentConfig& config) {
    const auto answer = ask_member(member, "GET", "/patroni", "", config);
    const auto document = api::object_of(answer ? answer->body : "");
    if (document.empty()) {
        return fmt::format("{}: failed to get version: {}", member.name,
                           answer ? "no JSON" : answer.error().message);
    }
    const auto patroni = document.value("patroni", nlohmann::ordered_json::object());
    const auto number = document.value("server_version", 0);
    return fmt::format("{}: Patroni {}{}", member.name, patroni.value("version", "?"),
                       number == 0 ? "" : " PostgreSQL " + version_text(number));
}

}  // namespace

std::string version_text(int number) {
    return number >= 100000
               ? fmt::format("{}.{}", number / 10000, number % 10000)
               : fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

Result<> run(const VersionCommand& command, const std::string& config_file, bool as_patronictl) {
    if (as_patronictl) {
        fmt::print("patronictl version {}\n", api::patroni_version);
    } else {
        fmt::print("howdah {}\n", version);
    }
    if (command.cluster.empty()) {
        return {};
    }
    fmt::print("\n");
    HD_TRY(const auto config, operator_config(config_file, {}));
    HD_TRY(const auto cluster, read_cluster(config, command.cluster));
    for (const auto& member : cluster.members) {
        if (command.members.empty() ||
            std::ranges::find(command.members, member.name) != command.members.end()) {
            fmt::print("{}\n", line_of(member, config));
        }
    }
    return {};
}

Result<> run(const DsnCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto name, cluster_name(command.cluster, config));
    HD_TRY(const auto cluster, read_cluster(config, name));
    HD_TRY(const auto member, one_member(cluster, command.role, command.member));
    HD_TRY(const auto address, member.postgres_address());
    fmt::print("host={} port={}\n", address.host, address.port);
    return {};
}

}  // namespace howdah::cli
