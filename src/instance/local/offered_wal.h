#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "pg/timeline_history.h"

namespace howdah::instance {

/// A standby marks what it receives as archived, since that is its primary's work. Before it is
/// promoted this takes the marks back of all segments and histories that it still has, so that its
/// archiver offers them: what the lost primary had not archived comes into the archive, and the
/// command finds the rest there. How many. Errors: Errc::io.
Result<std::size_t> offer_wal_again(const std::string& data_dir);

/// After the promotion, the segments of its ancestors that are whole and have no mark at all: a
/// walreceiver marks a segment when it begins the next one, so the last one before the branch has
/// none if that lies at its very end, and PostgreSQL would offer it only when it is to be removed.
/// `history`: of the promoted timeline. How many. Errors: Errc::io.
Result<std::size_t> offer_unmarked_wal(const std::string& data_dir,
                                       const std::vector<pg::Branch>& history,
                                       std::uint64_t segment_bytes);

}  // namespace howdah::instance
