#pragma once

#include "backup/site.h"

namespace howdah::backup {

/// stanza-create: archive.info and backup.info for the cluster of this host, in every repository; a
/// missing main file or copy is written again. Errors: Errc::conflict when what is there is of
/// another cluster (ExitCode::file_invalid: use stanza-upgrade), or when the folders hold files and
/// no info file; Errc::not_found when only one of the two info files is there;
/// ExitCode::lock_acquire, ExitCode::stop.
Result<> stanza_create(Site& site);

}  // namespace howdah::backup
