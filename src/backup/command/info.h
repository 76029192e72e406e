#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backup/site.h"

namespace howdah::backup {

/// First and last WAL segment of an archive; both or none.
struct WalRange {
    std::optional<std::string> first{}, last{};
};

/// What the manifest of one backup says besides (--set).
struct BackupDetails {
    repo::ManifestHeader header{};
    std::vector<std::string> bad_files{};  ///< with pages whose checksum was wrong
};

/// What one repository says of a stanza.
struct RepositoryReport {
    std::uint32_t key = 1;
    bool encrypted = false;
    /// pgBackRest's: 0 ok, 1 no folder, 2 no backups, 3 no info, 6 not the backup asked for, 99
    /// else
    int code = 0;
    std::string message = "ok";
    std::optional<repo::ArchiveInfo> archive{};
    std::optional<repo::BackupInfo> backup{};
    std::map<std::uint32_t, WalRange> wal{};  ///< by history id
    std::optional<BackupDetails> details{};   ///< of the one backup that was asked for
    /// WAL files that an optional repository still has to get, as this host knows; oldest first.
    std::vector<std::string> behind{};
};

struct StanzaReport {
    std::string name{};
    std::vector<RepositoryReport> repositories{};
    /// Somebody holds the lock of backup and expire, here or on the host of a repository.
    bool backup_runs = false;
    std::optional<std::uint32_t> hundredths{};  ///< of a percent that it has done
};

/// The stanza of the options, or without one all that any repository has; of its backups those that
/// --set and --type ask for. What can't be read is in its report; a repository whose stanzas can't
/// be listed, in that of a stanza "[invalid]". Errors: ExitCode::option_invalid for --set without a
/// stanza.
Result<std::vector<StanzaReport>> info(Site& site);

/// pgBackRest's `info --output=json`, without a line end (pgbackrest-repository.md, section 15.8).
std::string info_json(const std::vector<StanzaReport>& stanzas);
/// The same as text.
std::string info_text(const std::vector<StanzaReport>& stanzas);

}  // namespace howdah::backup
