#pragma once

#include <string>

#include "backup/site.h"

namespace howdah::backup {

/// Puts a backup back and leaves it ready to recover. pg_control comes last, so that what was
/// broken off does not start. Nothing on disk is touched before the order, the backup's manifest
/// and the target folders have been found right. Progress: bytes written or found right.
/// Errors: Errc::conflict where PostgreSQL runs (ExitCode::pg_running) or a folder is not empty,
/// Errc::unsafe over the data directory of another cluster, ExitCode::backup_set_invalid without a
/// backup that fits, Errc::invalid for the order, Errc::corrupt, naming the file, for damage,
/// Errc::io.
Result<> restore(Site& site);

/// What PostgreSQL shall call to fetch WAL: `program`, or what --cmd names, with what this command
/// line said of where things are.
std::string restore_command(const Options& options, const std::string& program);

}  // namespace howdah::backup
