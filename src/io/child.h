#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "io/fd.h"
#include "io/task.h"

namespace howdah::io {

struct RunOptions {
    std::vector<std::string> environment{};  ///< NAME=VALUE, over what this process has
    std::string log_file{};  ///< stdout and stderr are appended there; empty: captured
    std::string input{};     ///< stdin
};

struct Output {
    int exit_code = 0;   ///< 128 + signal when a signal ended it
    std::string text{};  ///< stdout and stderr as they came, the last 64 KiB
};

/// Runs a program to its end, without a shell; PATH is searched. It leads a process group of its
/// own, which is killed and reaped when the limit passes or the caller is cancelled. Errors:
/// Errc::not_found (no such program), Errc::io, Errc::timeout.
Task<Result<Output>> run(Clock& clock, std::vector<std::string> argv, RunOptions options,
                         Nanos limit);

/// A started program. Inherits no descriptor but the three.
struct Spawned {
    pid_t pid = 0;
    Fd pidfd{};
};
struct SpawnOptions {
    std::vector<std::string> environment{};
    int input = -1;   ///< -1: /dev/null
    int output = -1;  ///< stdout and stderr; -1: /dev/null
    bool own_session = false;
};
/// Errors: Errc::not_found, Errc::io. The caller reaps it.
Result<Spawned> spawn(const std::vector<std::string>& argv, const SpawnOptions& options);

}  // namespace howdah::io
