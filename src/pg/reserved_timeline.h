#pragma once

#include <string_view>

namespace howdah::pg {

/// The history file of a timeline number that is passed over (safety-model.md, N1), a line as of a
/// timeline that left the first one before its first record: nobody's history.
inline constexpr std::string_view reserved_history = "1\t0/0\treserved\n";

}  // namespace howdah::pg
