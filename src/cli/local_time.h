#pragma once

#include <string>

#include "base/result.h"

namespace howdah::cli {

/// Now, in the local zone: "2026-11-23 09:45:36", with `digits` (0 to 6) of the second's fraction.
std::string local_time(int digits);

/// A time that an operator typed, with a zone: the local one where none was given. "" and "now" are
/// "". Errors: Errc::invalid in patronictl's words.
Result<std::string> scheduled_time(const std::string& text);

}  // namespace howdah::cli
