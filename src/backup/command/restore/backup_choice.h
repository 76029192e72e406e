#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pg/lsn.h"
#include "repo/info/backup_info.h"

namespace howdah::backup {

/// Which backup a restore wants.
struct Wanted {
    std::string set = "latest";                  ///< or a label
    std::optional<std::int64_t> ended_before{};  ///< seconds since 1970, of a target time
    std::optional<pg::Lsn> ended_at{};           ///< of a target LSN: stopped there or before
};

/// nullopt: this repository has none that fits. Errors: Errc::invalid for a set that is no label,
/// Errc::unsafe when the newest backup is of a cluster that the stanza held earlier.
Result<std::optional<repo::Label>> choose_backup(const repo::BackupInfo& info,
                                                 const Wanted& wanted);

/// "2026-11-23 08:12:40[.5][+00]" -> seconds since 1970, fractions cut; without a zone in the
/// process's own. Errors: Errc::invalid.
Result<std::int64_t> target_seconds(const std::string& text);

}  // namespace howdah::backup
