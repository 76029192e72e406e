#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/result.h"

namespace howdah::backup {

/// Does the jobs 0, 1, … count-1 on as many threads as `workers` says, of which the caller's is
/// one: each thread that is free takes the next number. Returns when all that began have ended.
/// Errors: the first that a job returned; no further job begins after it.
Result<> in_parallel(std::uint32_t workers, std::size_t count,
                     const std::function<Result<>(std::size_t)>& job);

}  // namespace howdah::backup
