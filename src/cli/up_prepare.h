#pragma once

#include <string>

#include "base/result.h"
#include "cli/command.h"
#include "cli/up_layout.h"

namespace howdah::cli {

/// What `up` starts, ready on disk.
struct UpPrepared {
    UpLayout layout{};
    std::string binary{};  ///< the howdah that the daemons run
    std::string lease_profile{};
    bool fresh = true;  ///< false: a cluster that was here before goes on
    std::string superuser_password{};
};

/// Makes D (mode 0700) and, when run as root, gives it to `postgres` and becomes that user for
/// good. Checks first that nothing of the cluster runs, that programs are there and that all ports
/// are free; writes the configurations and cluster.json. Errors: with a hint, and nothing started.
Result<UpPrepared> prepare_up(const UpCommand& command);

/// `dir` or the default one, absolute, without a slash at the end.
std::string up_dir(const std::string& dir);

}  // namespace howdah::cli
