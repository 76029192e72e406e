#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "cli/up_layout.h"

namespace howdah::cli {

/// A process that works for the cluster in D: howdah, postgres, etcd or one of PostgreSQL's tools,
/// whose working directory or an argument lies in D. A shell or an editor that looks at D is none.
struct UpProcess {
    pid_t pid = 0;
    std::string program{};  ///< "postgres", "howdah agent", ...
};
std::vector<UpProcess> processes_of(const std::string& dir);

/// The process in the first line of a pid file, if it lives and belongs to D.
std::optional<pid_t> living_pid(const std::string& pid_file, const std::string& dir);
bool lives(pid_t pid);

/// Who listens there: "127.0.52.81:5432 (PostgreSQL of pgvm1) is in use by process 12 (postgres)".
/// Errors: Errc::conflict.
Result<> check_free(const UpPort& port);

/// Starts `argv` in a session of its own, stdout and stderr appended to `log`.
Result<pid_t> start_daemon(const std::vector<std::string>& argv, const std::string& log);

/// `condition` within `limit`, asked every 20 ms.
bool wait_until(Millis limit, const std::function<bool()>& condition);

/// Stops everything that processes_of(dir) shows: endpoint, then the agents (which stop PostgreSQL
/// and etcd), then what is left; each step bounded, SIGKILL at the end. `tell` gets a line a step.
/// Errors: Errc::timeout: something doesn't die.
Result<> stop_all(const std::string& dir, const std::function<void(const std::string&)>& tell);

/// The last lines of a log.
std::string tail_of(const std::string& file, std::size_t lines);

}  // namespace howdah::cli
