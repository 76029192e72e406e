#include "ha/member_names.h"

#include <algorithm>

namespace howdah::ha {

MemberNames learned(MemberNames known, const Cluster& cluster, const std::vector<Uuid>& needed) {
    std::erase_if(known, [&](const auto& one) {
        return std::find(needed.begin(), needed.end(), one.first) == needed.end();
    });
    if (cluster.record.record && !cluster.record.record->holder_name.empty()) {
        known[cluster.record.record->holder] = cluster.record.record->holder_name;
    }
    for (const auto& member : cluster.members) {
        if (!member.uuid.empty()) {
            known[member.uuid] = member.name;
        }
    }
    return known;
}

const std::string& shown(const MemberNames& names, const Uuid& uuid) {
    const auto found = names.find(uuid);
    return found == names.end() ? uuid : found->second;
}

}  // namespace howdah::ha
