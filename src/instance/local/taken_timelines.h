#pragma once

#include <string>

#include "base/result.h"
#include "pg/lsn.h"

namespace howdah::instance {

/// Makes the next promotion in `data_dir` open exactly `timeline`: PostgreSQL takes the first
/// number that has no history file, so each free number below gets one, in pg_wal and, with
/// archiving, in the archive. The files stay: a standby asks its primary for the history of every
/// number between its own timeline and the primary's, and a recovery looks for them in the archive
/// one after the other (measured on PostgreSQL 15; safety-model.md, N1). Errors: Errc::io.
Result<> take_timelines_below(const std::string& data_dir, pg::Timeline timeline);

}  // namespace howdah::instance
