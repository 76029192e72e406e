#include "pg/timeline_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace howdah::pg {
namespace {

Result<Branch> parse_row(std::string_view line) {
    Branch row;
    const auto* const stop = line.data() + line.size();
    const auto parent = std::from_chars(line.data(), stop, row.timeline);
    auto rest = line.substr(static_cast<std::size_t>(parent.ptr - line.data()));
    const auto begin = rest.find_first_not_of(" \t");
    if (parent.ec == std::errc{} && row.timeline != 0 && begin != 0 &&
        begin != std::string_view::npos) {
        rest = rest.substr(begin);
        if (const auto at = Lsn::parse(rest.substr(0, rest.find_first_of(" \t")))) {
            row.end = *at;
            return row;
        }
    }
    return fail(Errc::corrupt, fmt::format("\"{}\" is no row of a timeline history", line));
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
        if (!rows.empty() && row.timeline <= rows.back().timeline) {
            return fail(Errc::corrupt, fmt::format("its timeline {} does not come after {}",
                                                   row.timeline, rows.back().timeline));
        }
        rows.push_back(row);
    }
    return rows;
}

}  // namespace howdah::pg
