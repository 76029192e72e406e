#include "repo/timeline_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace howdah::repo {
namespace {

Result<Branch> parse_row(std::string_view line) {
    Branch row;
    const auto* const end = line.data() + line.size();
    const auto parent = std::from_chars(line.data(), end, row.parent);
    auto rest = line.substr(static_cast<std::size_t>(parent.ptr - line.data()));
    const auto begin = rest.find_first_not_of(" \t");
    if (parent.ec == std::errc{} && row.parent != 0 && begin != 0 &&
        begin != std::string_view::npos) {
        rest = rest.substr(begin);
        if (const auto at = pg::Lsn::parse(rest.substr(0, rest.find_first_of(" \t")))) {
            row.at = *at;
            return row;
        }
    }
    return fail(Errc::corrupt, fmt::format("\"{}\" is no row of a timeline history", line));
}

pg::Lsn end_of(const pg::WalSegment& segment, std::uint64_t size_bytes) {
    return pg::Lsn(segment.start(size_bytes).bytes() + size_bytes);
}

/// Where the timeline begins, as its own history says or that of one which came from it; 0 of the
/// first one, and when nobody says.
pg::Lsn begin_of(pg::Timeline timeline, const Histories& histories) {
    for (const auto& [owner, rows] : histories) {
        if (owner == timeline && !rows.empty()) {
            return rows.back().at;
        }
        const auto found = std::ranges::find(rows, timeline, &Branch::parent);
        if (found != rows.end() && found != rows.begin()) {
            return std::prev(found)->at;
        }
    }
    return {};
}

}  // namespace

Result<std::vector<Branch>> parse_history(std::string_view text) {
    std::vector<Branch> rows;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
        if (line.empty() || line.front() == '#') {
            continue;
        }
        HD_TRY(const auto row, parse_row(line));
        if (!rows.empty() && row.parent <= rows.back().parent) {
            return fail(Errc::corrupt, fmt::format("its timeline {} does not come after {}",
                                                   row.parent, rows.back().parent));
        }
        rows.push_back(row);
    }
    return rows;
}

std::vector<pg::Timeline> ancestors_of(pg::Timeline timeline, const Histories& histories) {
    std::vector<pg::Timeline> found;
    for (const auto& [owner, rows] : histories) {
        const auto own =
            owner == timeline ? rows.end() : std::ranges::find(rows, timeline, &Branch::parent);
        if (owner != timeline && own == rows.end()) {
            continue;
        }
        for (auto row = rows.begin(); row != own; ++row) {
            if (std::ranges::find(found, row->parent) == found.end()) {
                found.push_back(row->parent);
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
               return std::ranges::any_of(history.second, [&](const Branch& row) {
                   return row.parent == segment.timeline && row.at >= end_of(segment, size_bytes);
               });
           });
}

}  // namespace howdah::repo
