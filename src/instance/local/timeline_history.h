#pragma once

#include <string>
#include <vector>

#include "pg/lsn.h"

namespace howdah::instance {

/// An ancestor of a timeline, and where it was left.
struct Branch {
    pg::Timeline timeline = 0;
    pg::Lsn end{};
    bool operator==(const Branch&) const = default;
};

/// A timeline history file: lines "timeline<tab>LSN<tab>reason", the oldest first. Other lines
/// (comments) are passed over.
std::vector<Branch> parse_history(const std::string& text);

}  // namespace howdah::instance
