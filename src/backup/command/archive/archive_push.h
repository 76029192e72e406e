#pragma once

#include <string>

#include "backup/site.h"

namespace howdah::backup {

/// Archives one file everywhere it must be, durably: `wal_file` is the path that PostgreSQL gives
/// as %p. By the agent's pusher where one listens (pusher.h); else with archive-async by a process
/// in the background, which goes on with all others that PostgreSQL wants archived; else, and where
/// those fail or say nothing, by this process (push_file.h). Success means that the file is where
/// it must be.
/// Above archive-push-queue-max nothing is pushed: a warning, and success.
/// Errors: as push_file; ExitCode::stop.
Result<> archive_push(Site& site, const std::string& wal_file);

/// What the process in the background does: pushes all that PostgreSQL wants archived, by
/// process-max threads, and tells the spool of each file; begins with no other after one has
/// failed. Errors: ExitCode::lock_acquire when another is at work; as push_file.
Result<> archive_push_in_background(Site& site);

}  // namespace howdah::backup
