#include "repo/timeline_history.h"

#include <algorithm>

namespace howdah::repo {
namespace {

pg::Lsn end_of(const pg::WalSegment& segment, std::uint64_t size_bytes) {
    return pg::Lsn(segment.start(size_bytes).bytes() + size_bytes);
}

/// Where the timeline begins, as its own history says or that of one which came from it; 0 of the
/// first one, and when nobody says.
pg::Lsn begin_of(pg::Timeline timeline, const Histories& histories) {
    for (const auto& [owner, rows] : histories) {
        if (owner == timeline && !rows.empty()) {
            return rows.back().end;
        }
        const auto found = std::ranges::find(rows, timeline, &pg::Branch::timeline);
        if (found != rows.end() && found != rows.begin()) {
            return std::prev(found)->end;
        }
    }
    return {};
}

}  // namespace

std::vector<pg::Timeline> ancestors_of(pg::Timeline timeline, const Histories& histories) {
    std::vector<pg::Timeline> found;
    for (const auto& [owner, rows] : histories) {
        const auto own = owner == timeline
                             ? rows.end()
                             : std::ranges::find(rows, timeline, &pg::Branch::timeline);
        if (owner != timeline && own == rows.end()) {
            continue;
        }
        for (auto row = rows.begin(); row != own; ++row) {
            if (std::ranges::find(found, row->timeline) == found.end()) {
                found.push_back(row->timeline);
            }
        }
    }
    return found;
}

bool is_before_timeline(const pg::WalSegment& segment, std::uint64_t size_bytes,
                        const Histories& histories) {
    return end_of(segment, size_bytes) <= begin_of(segment.timeline, histories);
}

bool is_known_to_be_whole(const pg::WalSegment& segment, std::uint64_t size_bytes,
                          const Histories& histories) {
    return !is_before_timeline(segment, size_bytes, histories) &&
           std::ranges::any_of(histories, [&](const auto& history) {
               return std::ranges::any_of(history.second, [&](const pg::Branch& row) {
                   return row.timeline == segment.timeline &&
                          row.end >= end_of(segment, size_bytes);
               });
           });
}

}  // namespace howdah::repo
