#include "proxy/standbys.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace howdah::proxy {
namespace {

bool is_true(const nlohmann::json& value) {
    if (value.is_string()) {
        const auto text = value.get<std::string>();
        return text == "true" || text == "True" || text == "yes" || text == "on" || text == "1";
    }
    return value.is_boolean() ? value.get<bool>() : value.is_number() && value != 0;
}

bool wants_no_load(const ha::Member& member) {
    const auto tags = nlohmann::json::parse(member.tags_json, nullptr, false);
    return tags.is_object() && tags.contains("noloadbalance") && is_true(tags["noloadbalance"]);
}

std::optional<std::uint64_t> position_of_primary(const ha::Cluster& cluster) {
    auto position = cluster.optime;
    for (const auto& member : cluster.members) {
        if (member.role == "primary" && member.xlog_location) {
            position = std::max(position.value_or(0), *member.xlog_location);
        }
    }
    return position;
}

}  // namespace

std::vector<ReadableStandby> readable_standbys(const ha::Cluster& cluster, std::uint64_t max_lag) {
    const auto primary = position_of_primary(cluster);
    std::vector<ReadableStandby> found;
    for (const auto& member : cluster.members) {
        const bool runs = member.state == "running" || member.state == "streaming";
        if (member.role != "replica" || !runs || wants_no_load(member)) {
            continue;
        }
        // A member before Patroni 4 publishes no replay_lsn.
        const auto own = member.replay_lsn ? member.replay_lsn : member.xlog_location;
        const bool near = !primary || (own && *own + max_lag >= *primary);
        found.push_back({.member = &member, .takes_new = near});
    }
    return found;
}

}  // namespace howdah::proxy
