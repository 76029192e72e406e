#pragma once

#include "io/task.h"

namespace howdah::io {

/// Waits until `fd` (a socket, pipe or pidfd that others own) can be read; the caller keeps it open
/// meanwhile. Errors: Errc::io, Errc::cancelled.
Task<Result<>> wait_readable(int fd);
/// The same for writing.
Task<Result<>> wait_writable(int fd);

}  // namespace howdah::io
