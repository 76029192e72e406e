#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repo/info/backup_info.h"
#include "repo/info/label.h"
#include "repo/manifest/file_table.h"
#include "repo/stream/compression.h"

namespace howdah::repo {

/// What a backup was made of: the data directory, a tablespace or another link.
struct ManifestTarget {
    std::string name{};  ///< "pg_data", "pg_tblspc/16389", "pg_data/pg_hba.conf"
    bool is_link = false;
    std::string path{};  ///< folder; of a link to a file the folder part, maybe relative
    std::string file{};  ///< of a link to a file: its base name
    std::optional<std::uint32_t> tablespace{};  ///< OID
    std::string tablespace_name{};

    bool operator==(const ManifestTarget&) const = default;
};

struct ManifestDatabase {
    std::string name{};
    std::uint32_t oid = 0;
    std::uint32_t last_system_oid = 0;  ///< OID of template0; old readers want it

    bool operator==(const ManifestDatabase&) const = default;
};

/// Names of users and groups: nullopt is the default, "" a number that had no name.
struct ManifestPath {
    std::string name{};
    std::optional<std::uint16_t> mode{};
    std::optional<std::string> user{};
    std::optional<std::string> group{};

    bool operator==(const ManifestPath&) const = default;
};

struct ManifestLink {
    std::string name{};
    std::string destination{};
    std::optional<std::string> user{};
    std::optional<std::string> group{};

    bool operator==(const ManifestLink&) const = default;
};

/// What entries without own values have.
struct ManifestDefaults {
    std::string user{};
    std::string group{};
    std::uint16_t file_mode = 0600;
    std::uint16_t path_mode = 0700;

    bool operator==(const ManifestDefaults&) const = default;
};

/// [backup:option]. The optional ones are absent in very old manifests.
struct ManifestOptions {
    bool archive_check = false;
    bool archive_copy = false;
    std::optional<bool> backup_standby{};
    std::optional<std::uint64_t> buffer_size{};
    std::optional<bool> checksum_page{};
    CompressType compress = CompressType::none;
    std::optional<std::int64_t> compress_level{};
    std::optional<std::int64_t> compress_level_network{};
    std::optional<bool> delta{};
    bool hardlink = false;
    bool online = false;
    std::optional<std::uint64_t> process_max{};

    bool operator==(const ManifestOptions&) const = default;
};

/// backup.manifest but for its files.
struct ManifestHeader {
    std::string written_by{};  ///< backrest-version
    Label label{};
    BackupType type{};
    std::optional<Label> prior{};
    /// Backups that hold data of this one, oldest first, itself last. Block maps count in this
    /// list, so that its order matters.
    std::vector<Label> references{};
    std::optional<std::string> wal_start{};  ///< nullopt: offline
    std::optional<std::string> wal_stop{};
    std::optional<std::string> lsn_start{};
    std::optional<std::string> lsn_stop{};
    std::int64_t copy_started = 0;  ///< seconds since 1970
    std::int64_t started = 0;
    std::int64_t stopped = 0;
    bool bundle = false;
    bool bundle_raw = false;  ///< the form of what lies in bundles: StoredForm::raw
    bool block_incremental = false;
    std::uint32_t history_id = 0;  ///< 0, like the system id, in copies of unfinished backups
    BackedUpCluster cluster{};
    ManifestOptions options{};
    std::string cipher_pass{};  ///< pass phrase of the files; empty: not encrypted
    std::map<std::string, std::string> annotations{};
    ManifestDefaults defaults{};
    std::vector<ManifestTarget> targets{};
    std::vector<ManifestDatabase> databases{};
    std::vector<ManifestLink> links{};
    std::vector<ManifestPath> paths{};

    bool operator==(const ManifestHeader&) const = default;

    /// By name, as the format wants targets, databases, links and paths.
    void sort();
};

/// What a backup holds, and where.
struct Manifest {
    ManifestHeader header{};
    FileTable files{};
};

/// "pg_tblspc/16389" and its kin; nullptr for names that no target but pg_data holds.
const ManifestTarget* tablespace_of(const ManifestHeader& header, std::string_view file_name);

}  // namespace howdah::repo
