#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repo/info/backup_info.h"
#include "repo/info/label.h"

/// Which backups and which WAL stay, and why. Nothing here touches a file.
namespace howdah::repo {

/// repo-retention-*. Counts are from 1.
struct Retention {
    std::optional<std::uint32_t> full{};  ///< full backups, or days; nullopt: none is expired
    bool full_by_time = false;            ///< `full` counts days
    std::optional<std::uint32_t> diff{};
    std::optional<std::uint32_t> archive{};  ///< nullopt: follows from `full`
    BackupType archive_type = BackupType::full;

    bool operator==(const Retention&) const = default;
};

struct BackupFate {
    Label label{};
    bool stays = true;
    std::string why{};  ///< a sentence's end: "one of the newest 2 full backups"
};

/// The fate of every backup, oldest first. `now`: seconds since 1970.
std::vector<BackupFate> backup_fates(const BackupInfo& info, const Retention& retention,
                                     std::int64_t now);

/// Expire `label` and what depends on it, whatever the retention says. Errors: Errc::not_found;
/// Errc::unsafe if it is the last full backup of the current cluster.
Result<std::vector<BackupFate>> fates_without(const BackupInfo& info, const Label& label);

/// What is left when the fates have been done.
BackupInfo after(BackupInfo info, const std::vector<BackupFate>& fates);

/// Segments from `first` to `last`, in the order of their names; nullopt: all that follow.
struct WalRange {
    std::string first{};
    std::optional<std::string> last{};
    std::string why{};
};

/// What stays of the WAL of one cluster.
struct WalFate {
    std::uint32_t history_id = 0;
    bool stays_whole = true;
    std::vector<WalRange> ranges{};  ///< by `first`; unless it stays whole, only they stay
    std::string why{};

    /// Of any name in the archive, stored or as PostgreSQL has it. Unknown names stay.
    bool keeps(std::string_view file_name) const;
    /// False if nothing in this folder of segments stays, and it can go at once.
    bool keeps_some_of(std::string_view wal_folder) const;
};

/// For each history id of `info`, which no longer lists expired backups. Segments in the archive
/// that belong to ids that `info` doesn't know are left alone.
std::vector<WalFate> wal_fates(const BackupInfo& info, const Retention& retention);

/// Whether the manifest of `label` stays in backup.history. `since`: what is younger stays;
/// nullopt: all does. Current backups' always stay.
bool history_stays(const Label& label, const BackupInfo& info,
                   std::optional<std::chrono::local_seconds> since);

}  // namespace howdah::repo
