#pragma once

#include "backup/site.h"
#include "base/result.h"

namespace howdah::backup {

/// Removes backups, WAL and kept manifests that the repo-retention options of each repository let
/// go (repo/plan/retention.h), or with --set one backup and what needs it. What needs a backup goes
/// before it, and the listing before the files, so that broken off at any moment it leaves a
/// repository that verifies. With --dry-run nothing changes; the reason for each is told. Errors:
/// ExitCode::backup_set_invalid (--set: unknown, or the last full backup), format (the info files
/// disagree), lock_acquire, stop; those of the info files.
Result<> expire(Site& site);

}  // namespace howdah::backup
