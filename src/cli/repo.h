#pragma once

#include "base/result.h"
#include "cli/command.h"

namespace howdah::cli {

/// `howdah repo FILE`: serves repositories to other hosts and runs the schedule until SIGTERM or
/// SIGINT; SIGHUP reads the certificates anew. With --once or --dry-run the schedule alone. Returns
/// the exit code: 1 when a job of --once failed.
Result<int> run(const RepoCommand& command);
/// `howdah backup-jobs FILE`: runs beside PostgreSQL what the repository host asks for; the agent
/// starts it. As the one above.
Result<> run(const BackupJobsCommand& command);

}  // namespace howdah::cli
