#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "pg/timeline_history.h"
#include "pg/wal_segment.h"

namespace howdah::repo {

/// The history files that are known, by the timeline that each belongs to.
using Histories = std::map<pg::Timeline, std::vector<pg::Branch>>;

/// The timelines that `timeline` came from, as far as is known.
std::vector<pg::Timeline> ancestors_of(pg::Timeline timeline, const Histories& histories);

/// Whether the segment ends before its timeline begins: nobody has ever written it there.
bool is_before_timeline(const pg::WalSegment& segment, std::uint64_t size_bytes,
                        const Histories& histories);

/// Whether a timeline is known that left the segment's one at its end or behind: the segment was
/// then written as a whole. The segment in which a timeline left may rightly be missing.
bool is_known_to_be_whole(const pg::WalSegment& segment, std::uint64_t size_bytes,
                          const Histories& histories);

}  // namespace howdah::repo
