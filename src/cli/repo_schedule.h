#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/repo_config.h"
#include "repo/plan/cron.h"
#include "repo/plan/schedule.h"

namespace howdah::cli {

/// Runs what `schedule` of a repository host says, for each stanza of its pgbackrest.conf, one job
/// after the other, each in a process of its own. What it has dealt with stands in a file, so that
/// what came due while nobody ran it is run once.
class RepoSchedule {
public:
    /// `stanzas`: names of the stanzas. Errors: Errc::invalid for a time that is none, with its
    /// key; what keeps the file from being read or written.
    static Result<RepoSchedule> open(const config::RepoConfig& config,
                                     std::vector<std::string> stanzas, std::string program);

    bool empty() const { return jobs_.empty(); }
    /// Waits for what comes due and runs it, until it is told to stop; a job that runs is ended
    /// then.
    void run(const std::stop_token& stop);
    /// Runs what is due. False: some job failed.
    bool run_due(const std::stop_token& stop);
    /// A line for each job: when it ran last and will run next, and whether it would run now.
    std::string plan() const;

private:
    struct Job {
        std::string what{};
        repo::Cron when{};
        std::string text{};  ///< as it was configured
    };
    std::vector<repo::ScheduledTimes> times(const std::string& stanza, std::int64_t now) const;
    bool run_due_of(const std::string& stanza, const std::stop_token& stop);
    bool run_job(const std::string& stanza, const std::string& what,
                 const std::stop_token& stop) const;
    void mark(const std::string& stanza, const std::string& what, std::int64_t handled);
    Result<> load();
    Result<> save() const;

    std::string config_{}, program_{}, state_file_{};
    std::vector<std::string> stanzas_{};
    std::vector<Job> jobs_{};
    std::map<std::string, std::map<std::string, std::int64_t>> handled_{};  ///< stanza, job
    std::map<std::string, repo::LastJob> last_{};                           ///< by stanza
};

}  // namespace howdah::cli
