#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "io/child.h"
#include "io/fd.h"

namespace howdah::backup {

/// A verb of this program in a process group of its own, which ends with this object: it is told
/// to, and killed ten seconds later. What it says are lines for take_job_line().
class JobProcess {
public:
    /// Errors: as io::spawn.
    static Result<std::unique_ptr<JobProcess>> begin(const std::vector<std::string>& words);
    ~JobProcess();
    JobProcess(const JobProcess&) = delete;
    JobProcess& operator=(const JobProcess&) = delete;

    /// What it has said since, as whole lines; waits for some until `limit`. nullopt: it has closed
    /// its output.
    Result<std::optional<std::vector<std::string>>> lines(Millis limit);
    /// Waits for its end. Returns its exit code; 128 and the signal's number when one ended it.
    int reap();
    /// Ends it. Returns as reap().
    int end();

private:
    JobProcess(io::Spawned child, io::Fd output)
        : child_(std::move(child)), output_(std::move(output)) {}

    io::Spawned child_;
    io::Fd output_;
    std::string said_{};
};

}  // namespace howdah::backup
