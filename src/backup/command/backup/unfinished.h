#pragma once

#include <optional>

#include "backup/repository.h"
#include "backup/site.h"
#include "repo/manifest/manifest.h"
#include "repo/plan/resume.h"

namespace howdah::backup {

/// Looks for a backup that was broken off. One that can go on is returned, as its manifest's copy
/// tells it; one that cannot is removed. Both are warned of. `pass`: of manifests.
Result<std::optional<repo::Manifest>> take_up_unfinished(const Site& site, Repository& repository,
                                                         const repo::Planned& planned);

/// Of what was copied before, files that still are as they were and whose stored bytes are right
/// are noted in `now`, as copied; all other files of the folder are removed. Takes over label and
/// pass phrase. Returns how many files stay.
Result<std::size_t> keep_copied(const Site& site, Repository& repository,
                                const repo::Manifest& then, repo::Manifest& now);

}  // namespace howdah::backup
