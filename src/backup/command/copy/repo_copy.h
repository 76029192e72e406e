#pragma once

#include "backup/site.h"

namespace howdah::backup {

/// Copies a backup (--set, else the newest) with those it builds on and the WAL that makes them
/// consistent from one repository (--repo, else the first) to another (--to-repo), which may
/// compress and encrypt differently. What is there already is not copied again, so that a run that
/// was broken off is gone on with. Nothing is removed anywhere. With --dry-run it only tells.
/// Errors: ExitCode::option_required, ExitCode::backup_set_invalid (no such backup),
/// ExitCode::backup_mismatch (the other end is of another cluster, or has another backup under that
/// label), Errc::corrupt when the original is damaged: then that backup is not copied.
Result<> repo_copy(Site& site);

}  // namespace howdah::backup
