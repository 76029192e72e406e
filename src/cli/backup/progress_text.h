#pragma once

#include <string>

#include "backup/site.h"
#include "base/instant.h"

namespace howdah::cli {

/// One line for a terminal: "backing up [#####               ]  25 %, 7.5MB of 30MB, 5MB/s, 0:05
/// left". Rate and time left come when `since`, the time since it began, says enough.
std::string progress_text(const backup::Progress& progress, Millis since);

}  // namespace howdah::cli
