#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository.h"

namespace howdah::backup {

/// First and last WAL segment of an archive; both or none.
struct WalRange {
    std::optional<std::string> first{}, last{};
};

/// What one repository says of a stanza.
struct RepositoryReport {
    std::uint32_t key = 1;
    bool encrypted = false;
    int code = 0;  ///< pgBackRest's: 0 ok, 1 no folder, 2 no backups, 3 no info, 99 else
    std::string message = "ok";
    std::optional<repo::ArchiveInfo> archive{};
    std::optional<repo::BackupInfo> backup{};
    std::map<std::uint32_t, WalRange> wal{};  ///< by history id
};

struct StanzaReport {
    std::string name{};
    std::vector<RepositoryReport> repositories{};
    bool backup_runs = false;  ///< somebody on this host holds the lock of backup and expire
};

/// One stanza, or with "" all that any repository has. What can't be read is in its report.
std::vector<StanzaReport> report(std::vector<Repository>& repositories, const std::string& stanza,
                                 const std::string& lock_path);

/// pgBackRest's `info --output=json`, without a line end (pgbackrest-repository.md, section 15.8).
std::string info_json(const std::vector<StanzaReport>& stanzas);
/// The same as text.
std::string info_text(const std::vector<StanzaReport>& stanzas);

}  // namespace howdah::backup
