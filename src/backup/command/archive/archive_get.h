#pragma once

#include <string>

#include "backup/site.h"

namespace howdah::backup {

/// Fetches one archived file to `destination` (PostgreSQL's %p). By itself (get_file.h); of
/// segments with archive-async from the queue that a process in the background fills ahead, up to
/// archive-get-queue-max. Whatever becomes of that one, false means that every repository was
/// asked and none has it; where it says nothing, this process fetches the file itself.
/// Errors: as get_file.
Result<bool> archive_get(Site& site, const std::string& name, const std::string& destination);

/// What the process in the background does: fetches the segments that its arguments name into the
/// queue, by process-max threads, as far as the archive goes, and removes all else from it. Errors:
/// ExitCode::lock_acquire when another is at work; as get_file.
Result<> archive_get_in_background(Site& site);

}  // namespace howdah::backup
