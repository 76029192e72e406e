#pragma once

#include <cstdint>
#include <vector>

#include "backup/site.h"
#include "base/result.h"

namespace howdah::backup {

/// Takes a backup of the cluster into one repository: the one that --repo names, or the first; with
/// --all-repos into each, of which each has its own chain, while the server is told once. One that
/// fails then drops out; the backup of the others is taken all the same, and unless repo-optional
/// names that one its error is returned in the end. Returns the numbers of the repositories that
/// have the backup. What it says is pgBackRest's (pgbackrest-repository.md, section 15.3). Broken
/// off at any moment, it leaves a repository that verifies, with at most a folder that the next
/// backup resumes or removes. Errors: ExitCode::backup_mismatch (another cluster than the
/// stanza's), archive_disabled, archive_command_invalid, archive_timeout, db_connect, db_query,
/// db_mismatch, pg_running, option_invalid, lock_acquire, stop; those of the listing and of the
/// files.
Result<std::vector<std::uint32_t>> backup(Site& site);

}  // namespace howdah::backup
