#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "pg/lsn.h"

namespace howdah::pg {

/// A row of a timeline's history file: an ancestor, and where the way to that timeline left it.
struct Branch {
    Timeline timeline = 0;
    Lsn end{};
    bool operator==(const Branch&) const = default;
};

/// The oldest first; "" of timeline 1. Errors: Errc::corrupt for a text that PostgreSQL would not
/// read either. Source: PostgreSQL's readTimeLineHistory().
Result<std::vector<Branch>> parse_history(std::string_view text);

}  // namespace howdah::pg
