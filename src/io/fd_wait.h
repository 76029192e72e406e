#pragma once

#include "base/result.h"
#include "io/task.h"

namespace howdah::io {

enum class Ready : std::uint8_t { readable, writable };

/// Returns when `fd` can be read (or has ended, or broke), or written. The caller keeps `fd`, and
/// may even close it meanwhile: a duplicate is waited on. Errors: Errc::cancelled, Errc::io.
Task<Result<>> wait_for(int fd, Ready what);

}  // namespace howdah::io
