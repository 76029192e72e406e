#pragma once

#include <string>
#include <vector>

#include "backup/repository.h"
#include "backup/stanza.h"
#include "repo/compression.h"

namespace howdah::backup {

struct PushOrder {
    std::string stanza{};
    std::string wal_file{};  ///< path of what PostgreSQL asks to archive
    ClusterFacts cluster{};
    repo::CompressType compress = repo::CompressType::gz;
    int level = 6;
    bool check_header = true;
};

/// Archives one file in every repository, durably. In each: the same segment with the same content
/// is success with a warning; with other content an error, and nothing is overwritten. All
/// repositories are tried before an error of one is returned. Returns warnings.
/// Errors: Errc::invalid (no name of WAL), Errc::unsafe (another cluster's WAL, or other content
/// under the same name), Errc::unavailable naming each repository that failed.
Result<std::vector<std::string>> archive_push(std::vector<Repository>& repositories,
                                              const PushOrder& order);

}  // namespace howdah::backup
