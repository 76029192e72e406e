#pragma once

#include <string>
#include <vector>

#include "backup/repository.h"
#include "backup/site.h"
#include "base/result.h"
#include "pg/wal_segment.h"

namespace howdah::backup {

/// Segments that a backup cannot do without, and where they are archived.
struct NeededWal {
    std::string archive_id{};  ///< "15-1"
    pg::WalSegment first{}, last{};
    std::uint64_t segment_bytes = pg::WalSegment::default_size;
    std::string data_directory{};  ///< of the server that makes them
};

/// Waits until the repository has all of them as this server has them, archive-timeout for each.
/// Returns the paths of the stored segments, in order. Errors: ExitCode::archive_timeout;
/// ExitCode::archive_duplicate when there are two of one, or one of another content: of a copy of
/// this cluster, or of its life before an older copy of it was put back.
Result<std::vector<std::string>> wait_for_archive(const Site& site, Repository& repository,
                                                  const NeededWal& needed);

}  // namespace howdah::backup
