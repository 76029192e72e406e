#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repo/info/label.h"

namespace howdah::repo {

/// One PostgreSQL cluster that a stanza has held, as backup.info and manifests know it.
struct BackedUpCluster {
    std::uint32_t catalog_version = 0;  ///< names tablespace folders: PG_15_202209061
    std::uint32_t control_version = 0;
    std::uint64_t system_id = 0;
    std::string version{};  ///< "9.6", "15"

    bool operator==(const BackedUpCluster&) const = default;
};

/// The options of a backup that backup.info repeats.
struct BackupOptions {
    bool archive_check = false;
    bool archive_copy = false;
    bool backup_standby = false;  ///< a standby was really used
    bool checksum_page = false;
    bool compress = false;
    bool hardlink = false;
    bool online = false;

    bool operator==(const BackupOptions&) const = default;
};

/// Sums over the files of a backup, in bytes; `delta`: only of the files that it holds itself.
struct BackupSizes {
    std::uint64_t total = 0;
    std::uint64_t delta = 0;
    std::uint64_t stored_total = 0;
    std::uint64_t stored_delta = 0;
    std::optional<std::uint64_t> map_total{};  ///< of block maps; both or none
    std::optional<std::uint64_t> map_delta{};

    bool operator==(const BackupSizes&) const = default;
};

/// One backup, as backup.info lists it.
struct BackupSummary {
    std::string written_by{};
    std::map<std::string, std::string> annotations{};
    std::optional<std::string> wal_start{};  ///< first WAL segment; nullopt: offline
    std::optional<std::string> wal_stop{};
    std::optional<bool> error{};  ///< a page checksum was wrong; nullopt: written before 2.36
    BackupSizes sizes{};
    std::optional<std::string> lsn_start{};
    std::optional<std::string> lsn_stop{};
    std::optional<Label> prior{};
    std::vector<Label> references{};  ///< backups that hold data of this one, oldest first
    std::int64_t started = 0;         ///< seconds since 1970
    std::int64_t stopped = 0;
    BackupType type{};
    std::uint32_t history_id = 0;
    BackupOptions options{};

    bool operator==(const BackupSummary&) const = default;
};

/// backup.info: the backups of a stanza. A backup exists when it stands here and has a
/// backup.manifest.
struct BackupInfo {
    std::string written_by{};
    std::string cipher_pass{};  ///< pass phrase of the manifests; empty: not encrypted
    std::uint32_t current = 0;  ///< id of the cluster that backups are taken from; in `history`
    std::map<std::uint32_t, BackedUpCluster> history{};
    std::map<Label, BackupSummary> backups{};  ///< oldest first

    /// Errors: those of read_info; Errc::invalid when keys are missing or wrong.
    static Result<BackupInfo> parse(std::string_view text);
    /// Byte for byte what pgBackRest writes for the same facts.
    std::string render() const;

    const BackedUpCluster& cluster() const { return history.at(current); }
    /// The newest backup of the current cluster that a new one of `type` builds on: a full one for
    /// a differential, any for an incremental; nullopt for a full one, or when there is none.
    std::optional<Label> prior_for(BackupType type) const;
    /// `label`, and all that need it, oldest first.
    std::vector<Label> with_dependants(const Label& label) const;
    void upgrade(const BackedUpCluster& cluster);

    bool operator==(const BackupInfo&) const = default;
};

}  // namespace howdah::repo
