#pragma once

namespace howdah {

inline constexpr const char* version = "0.1.0";

}  // namespace howdah
