#pragma once

#include <string>

namespace howdah::cli {

/// What Python's difflib.unified_diff prints of two texts, without file names: three lines of
/// context. Empty when they are equal.
std::string unified_diff(const std::string& before, const std::string& after);

}  // namespace howdah::cli
