#pragma once

#include <string>

#include "base/result.h"
#include "io/task.h"

namespace howdah::io {

/// The first IP address of `host`, in digits. The name server is asked on a thread of Asio's.
/// Errors: Errc::unavailable.
Task<Result<std::string>> resolve(std::string host);

}  // namespace howdah::io
