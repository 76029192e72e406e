#pragma once

#include <string>

#include "base/result.h"

namespace howdah::cli {

/// Lets the user edit `text` in $EDITOR (else editor, vi), in a file of that name that nobody else
/// can read. Errors: Errc::cancelled when the editor ends with a failure; Errc::not_found.
Result<std::string> edit_text(const std::string& text, const std::string& name);

}  // namespace howdah::cli
