#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace howdah::backup {

/// How PostgreSQL recovers after a restore (pgbackrest-repository.md, section 15.6).
struct Recovery {
    /// default, immediate, time, xid, lsn, name, standby, none, preserve
    std::string type = "default";
    std::string target{}, target_action = "pause", target_timeline{};
    bool target_exclusive = false;
    bool archive_mode_off = false;
    std::string restore_command{};
    std::map<std::string, std::string> options{};  ///< further settings; '-' stands for '_'
    std::string written_at{};                      ///< "2026-11-23 08:12:40"
};

/// Errors: Errc::invalid for an unknown type, and for a target that is missing or out of place.
Result<> check_recovery(const Recovery& recovery);

/// postgresql.auto.conf of PostgreSQL 12 and later: `before`, with old targets commented out, and
/// the settings behind it.
std::string auto_conf(std::string_view before, const Recovery& recovery);
/// recovery.conf of older ones.
std::string recovery_conf(const Recovery& recovery);
/// "recovery.signal", "standby.signal", or "" when there is none to write.
std::string_view signal_file(const Recovery& recovery);

}  // namespace howdah::backup
