#include "repo/info/backup_info.h"

#include <algorithm>

namespace howdah::repo {

std::optional<Label> BackupInfo::prior_for(BackupType type) const {
    if (type == BackupType::full) {
        return std::nullopt;
    }
    for (auto it = backups.rbegin(); it != backups.rend(); ++it) {
        const auto& [label, backup] = *it;
        const bool fits = type == BackupType::incr || label.type() == BackupType::full;
        if (fits && backup.history_id == current) {
            return label;
        }
    }
    return std::nullopt;
}

std::vector<Label> BackupInfo::with_dependants(const Label& label) const {
    std::vector<Label> chain;
    for (const auto& [other, backup] : backups) {
        const bool prior_goes =
            backup.prior && std::ranges::find(chain, *backup.prior) != chain.end();
        const bool needs = std::ranges::find(backup.references, label) != backup.references.end();
        if (other == label || prior_goes || needs) {
            chain.push_back(other);
        }
    }
    return chain;
}

void BackupInfo::upgrade(const BackedUpCluster& cluster) {
    current = history.empty() ? 1 : history.rbegin()->first + 1;
    history[current] = cluster;
}

}  // namespace howdah::repo
