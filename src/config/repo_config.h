#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/agent_config.h"
#include "io/tls.h"

namespace howdah::config {

/// Where certificates are looked for unless somebody says otherwise.
io::TlsFiles usual_tls_files();

/// One line of `schedule`.
struct ScheduledJob {
    std::string what{};  ///< full, diff, incr, expire, verify, restore-test
    std::string when{};  ///< in cron's syntax
};

/// Section `repo` of what `howdah repo FILE` reads.
struct RepoConfig {
    std::string pgbackrest_config = "/etc/pgbackrest/pgbackrest.conf";  ///< key `config`
    HostPort listen{.host = "", .port = 8432};
    io::TlsFiles tls{};
    std::vector<ScheduledJob> schedule{};
    std::string state = "/var/lib/howdah/repo-schedule.json";  ///< what the schedule has seen to
};

/// Section `backup_jobs` of a database host's patroni.yml: that it answers its repository host.
struct BackupJobsConfig {
    std::string pgbackrest_config = "/etc/pgbackrest/pgbackrest.conf";  ///< key `config`
    HostPort listen{.host = "", .port = 8432};
    io::TlsFiles tls{};
};

/// Errors: Errc::invalid with file, line and key: a wrong value, or a key that is not known in this
/// section; Errc::not_found.
Result<RepoConfig> load_repo_config(const std::string& file);
Result<BackupJobsConfig> load_backup_jobs_config(const std::string& file);
/// The same of text.
Result<RepoConfig> parse_repo_config(const std::string& text, const std::string& file);

}  // namespace howdah::config
