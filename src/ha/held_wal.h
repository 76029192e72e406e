#pragma once

#include <string>

#include "base/result.h"
#include "pg/lsn.h"

namespace howdah::ha {

/// The most WAL that a member is known to have held on disk, noted about every second: commits were
/// acknowledged because of it. A data directory that holds less was replaced by an older copy, or
/// is replaying still, and counts for nothing until it has caught up (N7).
struct HeldWal {
    std::string system_id{};
    pg::Timeline timeline = 0;  ///< 0: nothing is known
    pg::Lsn lsn{};
    bool operator==(const HeldWal&) const = default;
};

/// A data directory of `now` lacks what was `held`. Of another cluster's nothing is known.
bool lacks(const HeldWal& now, const HeldWal& held);

std::string render(const HeldWal& held);
/// Errors: Errc::corrupt.
Result<HeldWal> parse_held_wal(const std::string& json);

}  // namespace howdah::ha
