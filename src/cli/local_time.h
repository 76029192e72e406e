#pragma once

#include <string>

namespace howdah::cli {

/// Now, in the local zone: "2026-11-23 09:45:36", with `digits` (0 to 6) of the second's fraction.
std::string local_time(int digits);

}  // namespace howdah::cli
