#include "proxy/standbys.h"

#include <algorithm>

namespace howdah::proxy {
namespace {

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
        if (member.role != "replica" || !runs || member.tags().noloadbalance) {
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
