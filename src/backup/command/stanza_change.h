#pragma once

#include "backup/site.h"
#include "base/result.h"

namespace howdah::backup {

/// stanza-upgrade, after pg_upgrade or another initdb: what is archived and backed up from now on
/// is of the cluster that is here; what is there stays. Errors: those of the info files,
/// lock_acquire, stop.
Result<> stanza_upgrade(Site& site);

/// stanza-delete: all backups and WAL of a stanza in one repository, at once and for good. Errors:
/// ExitCode::option_required when --repo does not say which of several; file_missing when the
/// stanza is not stopped; pg_running while a postmaster.pid is there, unless --force; lock_acquire.
Result<> stanza_delete(Site& site);

}  // namespace howdah::backup
