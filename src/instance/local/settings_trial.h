#pragma once

#include <string>
#include <vector>

#include "config/dynamic_config.h"
#include "instance/instance.h"
#include "io/task.h"

namespace howdah::instance {

/// Which settings the PostgreSQL of `bin_dir` would not start with: unknown names, values that it
/// can't read, values out of its range. It is asked itself (`postgres -C`, which reads a
/// configuration and starts nothing; some 15 ms, and as much again for each setting when one is
/// refused). Told by exit codes; `why` is its own message. What only a start would find, such as a
/// library that is missing, is not found.
///
/// `folder` is made, and removed again. Errors: Errc::io, Errc::not_found: it could not be asked.
io::Task<Result<std::vector<RefusedSetting>>> refused_by_postgres(io::Clock& clock,
                                                                  std::string bin_dir,
                                                                  std::string folder,
                                                                  config::Parameters settings);

}  // namespace howdah::instance
