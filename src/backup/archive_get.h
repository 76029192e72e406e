#pragma once

#include <string>
#include <vector>

#include "backup/repository.h"
#include "backup/stanza.h"

namespace howdah::backup {

struct Got {
    bool found = false;
    std::vector<std::string> warnings{};  ///< repositories that failed before one had it
};

/// Fetches one archived file to `destination`, from the first repository that has it whole: what
/// comes out must have the sum that its name tells. Errors: Errc::invalid for no name of WAL; of
/// the last repository, when every one of them failed.
Result<Got> archive_get(std::vector<Repository>& repositories, const std::string& stanza,
                        const ClusterFacts& cluster, const std::string& name,
                        const std::string& destination);

}  // namespace howdah::backup
