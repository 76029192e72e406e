#pragma once

namespace howdah::cli {

/// Whether this process is a verb that a repository host asked for (backup/jobs): then it ends with
/// the process that asked, and says all it says as objects. What it starts itself is no such job.
/// First asked before there are threads.
bool runs_as_job();

}  // namespace howdah::cli
