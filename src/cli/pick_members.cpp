#include "cli/pick_members.h"

#include <algorithm>

#include "api/overview.h"

namespace howdah::cli {

const std::vector<std::string>& role_words() {
    static const std::vector<std::string> words{"leader",  "primary", "standby-leader",
                                                "replica", "standby", "any"};
    return words;
}

std::vector<ha::Member> members_with_role(const ha::Cluster& cluster, const std::string& role) {
    std::vector<ha::Member> out;
    const bool standby_cluster = api::mode_of(cluster).standby_cluster;
    const bool wants_leader = role == "leader" || role == "any" ||
                              (role == "primary" && !standby_cluster) ||
                              (role == "standby-leader" && standby_cluster);
    const auto* leader = cluster.member(cluster.leader_name());
    if (leader != nullptr && wants_leader) {
        out.push_back(*leader);
    }
    if (role == "replica" || role == "standby" || role == "any") {
        std::ranges::copy_if(cluster.members, std::back_inserter(out),
                             [&](const ha::Member& m) { return m.name != cluster.leader_name(); });
    }
    return out;
}

Result<ha::Member> one_member(const ha::Cluster& cluster, const std::string& role,
                              const std::string& member) {
    if (!role.empty() && !member.empty()) {
        return fail(Errc::invalid, "--role and --member are mutually exclusive options");
    }
    const auto* named = member.empty() ? nullptr : cluster.member(member);
    if (named != nullptr) {
        return *named;
    }
    const auto fit = member.empty() ? members_with_role(cluster, role.empty() ? "leader" : role)
                                    : std::vector<ha::Member>();
    if (fit.empty()) {
        return fail(Errc::not_found, "Can not find a suitable member");
    }
    return fit.front();
}

}  // namespace howdah::cli
