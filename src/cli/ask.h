#pragma once

#include <iosfwd>
#include <string>

#include "base/result.h"

namespace howdah::cli {

/// Prints "QUESTION: " and reads a line. Errors: Errc::cancelled at the end of the input.
Result<std::string> ask(const std::string& question, std::istream& in, std::ostream& out);
/// "QUESTION [y/N]: ", again until it is answered; nothing means no. Errors: Errc::cancelled.
Result<bool> confirm(const std::string& question, std::istream& in, std::ostream& out);

}  // namespace howdah::cli
