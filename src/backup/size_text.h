#pragma once

#include <cstdint>
#include <string>

namespace howdah::backup {

/// As pgBackRest tells sizes: "9MB", "12.5KB"; in units of 1024 with one decimal, if it is not 0.
std::string size_text(std::uint64_t bytes);

}  // namespace howdah::backup
