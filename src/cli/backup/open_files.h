#pragma once

#include <memory>

#include "backup/options/options.h"
#include "files/files.h"

namespace howdah::cli {

/// The adapter for a repository's type: a folder or a bucket. Nothing is asked of a bucket yet.
/// Errors: ExitCode::option_required, naming the option of a bucket that is missing;
/// ExitCode::feature_not_supported for other types.
Result<std::unique_ptr<files::Files>> open_files(const backup::RepositoryOptions& options);

}  // namespace howdah::cli
