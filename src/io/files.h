#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace howdah::io {

/// `what` and the text of errno, read on entry: Errc::not_found for ENOENT, else Errc::io.
std::unexpected<Error> fail_errno(std::string_view what);

/// The whole file. Errors: Errc::not_found, Errc::io.
Result<std::string> read_file(const std::string& path);

/// The old text or the new one, whatever happens: temporary file beside it, fsync, rename, fsync of
/// the folder. Errors: Errc::io.
Result<> write_file_atomically(const std::string& path, std::string_view text, mode_t mode = 0600);

/// What was made, renamed or removed in `folder` is so after a loss of power. Errors: Errc::io.
Result<> sync_folder(const std::string& folder);

/// The soft limit of open files becomes the hard one. For a process that will serve hundreds of
/// connections.
void raise_open_files_limit();

/// Makes `path` and the folders above it that are missing, each with `mode`. Errors: Errc::io.
Result<> make_directories(const std::string& path, mode_t mode = 0700);

}  // namespace howdah::io
