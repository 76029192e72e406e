#include <fmt/format.h>

#include <algorithm>

#include "pg/wal_segment.h"
#include "repo/archive_name.h"
#include "repo/plan/retention.h"

namespace howdah::repo {
namespace {

using Entry = std::pair<const Label, BackupSummary>;

bool counts(const Label& label, BackupType type) {
    return type == BackupType::incr || label.type() == BackupType::full ||
           (type == BackupType::diff && label.type() == BackupType::diff);
}

/// Of one cluster, or of all (0); newest first.
std::vector<const Entry*> backups_of(const BackupInfo& info, std::uint32_t id, BackupType type) {
    std::vector<const Entry*> found;
    for (auto it = info.backups.rbegin(); it != info.backups.rend(); ++it) {
        if ((id == 0 || it->second.history_id == id) && counts(it->first, type)) {
            found.push_back(&*it);
        }
    }
    return found;
}

/// How many backups keep all WAL since their start; nullopt: all WAL stays.
std::optional<std::size_t> wanted_count(const BackupInfo& info, const Retention& retention) {
    if (retention.archive) {
        return *retention.archive;
    }
    if (!retention.full || retention.archive_type != BackupType::full) {
        return std::nullopt;
    }
    return retention.full_by_time ? backups_of(info, 0, BackupType::full).size() : *retention.full;
}

WalFate whole(std::uint32_t id, std::string why) {
    return WalFate{.history_id = id, .stays_whole = true, .why = std::move(why)};
}

/// The backup from whose start on everything stays: the Nth, or the nearest older one that is
/// online.
const Entry* first_full_coverage(const std::vector<const Entry*>& backups, std::size_t count) {
    for (std::size_t i = std::min(count, backups.size()) - 1; i < backups.size(); ++i) {
        if (backups[i]->second.wal_start) {
            return backups[i];
        }
    }
    return nullptr;
}

WalFate fate_of(const BackupInfo& info, std::uint32_t id, BackupType type, std::size_t count) {
    const auto backups = backups_of(info, id, type);
    if (backups_of(info, id, BackupType::incr).empty() && id != info.current) {
        return WalFate{.history_id = id,
                       .stays_whole = false,
                       .why = "no backup of this former cluster is left"};
    }
    const auto* const since = backups.empty() ? nullptr : first_full_coverage(backups, count);
    if (since == nullptr) {
        return whole(id, "no backup says from where on it is needed");
    }
    WalFate fate{.history_id = id,
                 .stays_whole = false,
                 .why = fmt::format("{} and later backups can be restored to any time",
                                    since->first.text())};
    for (const auto& [label, backup] : info.backups) {
        if (backup.history_id == id && backup.wal_start && label < since->first) {
            fate.ranges.push_back({.first = *backup.wal_start,
                                   .last = backup.wal_stop,
                                   .why = fmt::format("makes {} consistent", label.text())});
        }
    }
    fate.ranges.push_back({.first = *since->second.wal_start,
                           .why = fmt::format("all since {}", since->first.text())});
    std::ranges::sort(fate.ranges, {}, &WalRange::first);
    return fate;
}

bool in_range(const WalRange& range, std::string_view segment) {
    return segment >= range.first && (!range.last || segment <= *range.last);
}

}  // namespace

std::vector<WalFate> wal_fates(const BackupInfo& info, const Retention& retention) {
    const auto count = wanted_count(info, retention);
    const bool enough =
        count && *count > 0 && backups_of(info, 0, retention.archive_type).size() >= *count;
    std::vector<WalFate> fates;
    for (const auto& [id, cluster] : info.history) {
        if (!count) {
            fates.push_back(whole(id, "no retention says when it may go"));
        } else if (!enough) {
            fates.push_back(whole(id, fmt::format("there are fewer than {} backups", *count)));
        } else {
            fates.push_back(fate_of(info, id, retention.archive_type, *count));
        }
    }
    return fates;
}

bool WalFate::keeps(std::string_view file_name) const {
    const auto stored = parse_stored_segment(file_name);
    const auto kind = wal_file(stored ? std::string_view(stored->name) : file_name);
    if (stays_whole || !kind) {
        return true;
    }
    if (*kind == WalFile::history) {
        return !ranges.empty() && file_name.substr(0, 8) >= ranges.front().first.substr(0, 8);
    }
    const auto segment = file_name.substr(0, 24);
    return std::ranges::any_of(ranges, [&](const auto& range) { return in_range(range, segment); });
}

bool WalFate::keeps_some_of(std::string_view wal_folder) const {
    if (stays_whole || !is_wal_folder(wal_folder)) {
        return true;
    }
    const auto size = wal_folder.size();
    return std::ranges::any_of(ranges, [&](const WalRange& range) {
        return wal_folder >= std::string_view(range.first).substr(0, size) &&
               (!range.last || wal_folder <= std::string_view(*range.last).substr(0, size));
    });
}

}  // namespace howdah::repo
