#pragma once

#include <string>

#include "base/result.h"

// archive_command of a cluster that was made from a backup. It stands on the postmaster's command
// line, which no file, no include and no ALTER SYSTEM beats, and runs whatever a file of the
// agent's holds: so archiving begins, and ends, without a restart, and by the agent's word alone
// (N21).

namespace howdah::instance {

inline constexpr std::string_view held_archive_verb = "archive-held";

/// `howdah`: this program. `file`: what holds the command; empty or missing: nothing is archived.
std::string held_archive_command(const std::string& howdah, const std::string& file);

/// The command that `file` holds, for the WAL file `name` at `path`, as PostgreSQL would put them
/// in. Source: PostgreSQL docs, archive_command. Errors: Errc::unavailable: it is held back.
Result<std::string> release_archive_command(const std::string& file, const std::string& path,
                                            const std::string& name);

}  // namespace howdah::instance
