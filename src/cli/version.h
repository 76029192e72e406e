#pragma once

namespace howdah::cli {

inline constexpr const char* version = "0.1.0";

}  // namespace howdah::cli
