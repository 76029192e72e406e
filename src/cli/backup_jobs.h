#pragma once

#include <sys/types.h>

#include <string>

#include "config/agent_config.h"
#include "io/task.h"

namespace howdah::cli {

/// The agent's part of jobs that a repository host asks for: it keeps `howdah backup-jobs` running
/// in a process of its own, which ends with the agent, and its jobs with it.
class BackupJobs {
public:
    BackupJobs(io::Clock& clock, const config::AgentConfig& config, std::string binary);
    ~BackupJobs();
    BackupJobs(const BackupJobs&) = delete;
    BackupJobs& operator=(const BackupJobs&) = delete;

    /// Until it is cancelled.
    io::Task<> run();
    /// Makes it read its certificates anew.
    void reload() const;

private:
    /// False: cancelled.
    io::Task<bool> run_once();

    io::Clock& clock_;
    std::string file_, binary_;
    pid_t child_ = 0;
};

}  // namespace howdah::cli
