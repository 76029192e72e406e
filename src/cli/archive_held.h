#pragma once

namespace howdah::cli {

/// What archive_command of a cluster that was made from a backup runs: `howdah archive-held FILE
/// PATH NAME`. Becomes the command that FILE holds, or ends with 1.
int run_archive_held(char** words);

}  // namespace howdah::cli
