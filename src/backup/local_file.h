#pragma once

#include <memory>
#include <string>

#include "repo/sha1.h"
#include "store/store.h"

namespace howdah::backup {

/// A file of this host. Errors: Errc::not_found, Errc::io.
Result<std::unique_ptr<store::Source>> open_local(const std::string& path);

/// Writes a file in place, as PostgreSQL expects of restore_command: without fsync, for PostgreSQL
/// does that itself. Errors: Errc::io.
Result<std::unique_ptr<store::Sink>> create_local(const std::string& path);

/// Of a whole file of this host. Errors: as open_local.
Result<repo::Sha1Digest> sum_of_local(const std::string& path);

}  // namespace howdah::backup
