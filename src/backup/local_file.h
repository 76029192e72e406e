#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "files/files.h"
#include "repo/stream/sha1.h"

namespace howdah::backup {

/// "cannot write PATH: No space left on device", of errno as it is now, with the way out and
/// pgBackRest's number. `what`: open, make, read, write, close, look at, remove.
std::unexpected<Error> fail_local(std::string_view what, const std::string& path);

/// A file of this host. Errors: Errc::not_found, Errc::io.
Result<std::unique_ptr<files::Source>> open_local(const std::string& path);

/// Writes a file in place, as PostgreSQL expects of restore_command: without fsync, for PostgreSQL
/// does that itself. Errors: Errc::io.
Result<std::unique_ptr<files::Sink>> create_local(const std::string& path);

/// Whether anything has that name; a link is not followed. Errors: Errc::io when that cannot be
/// told, as in a folder that may not be read.
Result<bool> is_there(const std::string& path);
/// Nothing there is success. Errors: Errc::io.
Result<> remove_local(const std::string& path);

/// Of a whole file of this host. Errors: as open_local.
Result<repo::Sha1Digest> sum_of_local(const std::string& path);

}  // namespace howdah::backup
