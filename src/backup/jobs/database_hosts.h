#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backup/jobs/job.h"
#include "backup/options/options.h"
#include "backup/site.h"

namespace howdah::backup {

/// A database host that has answered.
struct DatabaseHost {
    ClusterOptions cluster{};
    std::unique_ptr<remote::Channel> channel{};
    ServerState state{};

    std::string name() const;  ///< "pg1 (10.0.0.1)"
};

/// The repository host's side: the hosts that pgN-host names.
class DatabaseHosts {
public:
    /// Warns of those that do not answer. Errors: ExitCode::option_invalid_value for one of type
    /// ssh; ExitCode::db_connect when none answers.
    static Result<DatabaseHosts> look(const Options& options, const Notes& notes);

    std::vector<DatabaseHost>& all() { return hosts_; }
    /// The one that is not in recovery; of several the one on the newest timeline, with a warning.
    /// Errors: ExitCode::db_connect.
    Result<DatabaseHost*> primary(const Notes& notes);

private:
    std::vector<DatabaseHost> hosts_{};
};

/// Runs a verb there, telling `notes` what it says, and returns when it has ended. Errors: the
/// verb's own, with its exit code; Errc::unavailable when the host has gone.
Result<> run_job(DatabaseHost& host, const std::string& verb, const std::vector<std::string>& words,
                 const Notes& notes);

}  // namespace howdah::backup
