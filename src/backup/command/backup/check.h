#pragma once

#include "backup/site.h"
#include "base/result.h"

namespace howdah::backup {

/// Whether backups and archiving would work: the configuration fits the running servers, the stanza
/// is this cluster's, PostgreSQL archives with this program, and a segment that is closed now
/// arrives in every repository within archive-timeout. Beside a standby only the configuration is
/// looked at. Errors: ExitCode::db_connect, db_mismatch, archive_disabled, archive_command_invalid,
/// feature_not_supported, file_invalid, archive_timeout.
Result<> check(Site& site);

}  // namespace howdah::backup
