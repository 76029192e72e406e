#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/dynamic_config.h"

namespace howdah::instance {

/// The folder of PostgreSQL's programs: `configured`, else the folder of `postgres` in PATH, else
/// /usr/lib/postgresql/N/bin with N of PG_VERSION (`major`), else (0) the newest. Errors:
/// Errc::not_found.
Result<std::string> find_bin_dir(const std::string& configured, int major);

/// The postmaster's argv. A standby takes the greater of its own and pg_control's value where
/// PostgreSQL would refuse hot standby otherwise (patroni-compatibility.md 1.12).
std::vector<std::string> postmaster_argv(
    const std::string& bin_dir, const std::string& data_dir, const std::string& config_file,
    const config::EffectivePostgresql& settings,
    const std::map<std::string, std::string>& control_settings);

/// This process' environment without what isn't PostgreSQL's business: PATRONI_*, HOWDAH_*, PG* (a
/// PGDATABASE here must not lead an archive_command elsewhere), NOTIFY_SOCKET, LISTEN_*. For its
/// archive_command HOWDAH_ARCHIVE_SOCKET stays.
std::vector<std::string> postmaster_environment();

/// PostgreSQL's processes whose working directory is `data_dir`: postmaster and all its children
/// have it. Sees only processes of this user (or all, as root).
std::vector<pid_t> processes_in(const std::string& data_dir);

/// The postmaster that postmaster.pid names, if it lives and works in `data_dir`; else 0.
pid_t living_postmaster(const std::string& data_dir);

/// This end of the TCP connection that process `pid` has with port `remote` of whichever host; 0:
/// it has none, or /proc does not tell.
std::uint16_t local_port_of(pid_t pid, std::uint16_t remote);

/// The postmaster that postmaster.pid names is dead, but its parent has not reaped it: to
/// PostgreSQL, which then refuses to start, it looks alive.
bool postmaster_is_unreaped(const std::string& data_dir);

/// Processes of `howdah fencer` for this state directory, answering or not.
std::vector<pid_t> fencers_of(const std::string& state_dir);

/// The end of `log` from byte `from`: the last `lines` lines, joined by " | ".
std::string log_tail(const std::string& log, std::uint64_t from, int lines);

/// What to do about the error that PostgreSQL's log shows; empty when nothing is known.
std::string hint_for(const std::string& log_text);

/// Errors: Errc::invalid when another user owns it, or there is no such directory.
Result<> check_ownership(const std::string& data_dir);

}  // namespace howdah::instance
