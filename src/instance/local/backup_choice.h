#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "pg/lsn.h"
#include "pg/timeline_history.h"

namespace howdah::instance {

/// What a standby that begins with a backup has to come to.
struct WalGoal {
    std::string system_id{};
    pg::Timeline timeline = 0;
    pg::Lsn flush{};
    std::vector<pg::Branch> history{};  ///< of `timeline`
};

/// A backup to make a standby from.
struct BackupChoice {
    std::string label{};
    int repository = 1;
    std::uint64_t wal_bytes = 0;  ///< written since it began
    std::uint64_t size = 0;       ///< bytes of the data directory that it holds
};

/// The newest backup of the primary's own history that spares the primary more than the standby
/// has to make up: WAL since it began is at most half of what would be copied instead (to replay a
/// byte costs about twice as much as to copy one). `info_json`: of `info --output=json`, ours or
/// pgBackRest's, for one stanza. Errors: Errc::not_found, with the reason why there is none.
Result<BackupChoice> choose_backup(const std::string& info_json, const WalGoal& goal);

}  // namespace howdah::instance
