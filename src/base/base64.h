#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace howdah {

/// RFC 4648, with padding.
std::string to_base64(std::string_view bytes);
/// Errors: Errc::invalid.
Result<std::string> from_base64(std::string_view text);

}  // namespace howdah
