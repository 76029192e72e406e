#pragma once

#include <string>

#include "base/result.h"

namespace howdah::cli {

/// `howdah agent FILE`: runs until SIGTERM, SIGINT or a data directory that it must not touch.
/// Errors: Errc::invalid, Errc::conflict, Errc::unsafe, each with a hint.
Result<> run_agent(const std::string& file);

}  // namespace howdah::cli
