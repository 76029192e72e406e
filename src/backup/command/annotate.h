#pragma once

#include "backup/site.h"
#include "base/result.h"

namespace howdah::backup {

/// Sets, changes or (empty value) removes annotations of the backup that --set names, in
/// backup.info of every repository that has it; its manifest stays as it is. Errors:
/// ExitCode::option_required
/// (--set, --annotation), backup_set_invalid when no repository has it, lock_acquire.
Result<> annotate(Site& site);

}  // namespace howdah::backup
