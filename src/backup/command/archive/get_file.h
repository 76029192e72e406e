#pragma once

#include <string>

#include "backup/site.h"

namespace howdah::backup {

/// Fetches one archived file to `destination`, from the first repository that has it whole: what
/// comes out must have the sum that its name tells, or the CRC that a gz or bz2 file holds. False:
/// every repository was asked, and none has it. A repository that fails is warned of when another
/// one has the file. Several threads may.
/// Errors: Errc::invalid for no name of WAL; those of the repositories that failed;
/// ExitCode::archive_duplicate.
Result<bool> get_file(Site& site, const ClusterFacts& cluster, const std::string& name,
                      const std::string& destination);

/// Of a file that no repository has: it is not one that is missing in the midst of others, after
/// which recovery would end early, and nobody would be told. Errors: Errc::not_found when a
/// repository has segments before it, and either segments of its timeline after it or the history
/// of a timeline that left this one behind it, or backups without any of the WAL that they need;
/// Errc::corrupt for a history that cannot be read; as get_file.
Result<> is_end_of_wal(Site& site, const std::string& name);

}  // namespace howdah::backup
