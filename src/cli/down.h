#pragma once

#include "base/result.h"
#include "cli/command.h"

namespace howdah::cli {

/// `howdah down`: stops all that works in D; nothing to stop is no error. The data stay.
/// Errors: Errc::not_found (no such directory), Errc::timeout.
Result<> run(const DownCommand& command);

}  // namespace howdah::cli
