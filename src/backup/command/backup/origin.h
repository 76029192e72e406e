#pragma once

#include <optional>
#include <string>

#include "backup/command/backup/session.h"
#include "backup/site.h"

namespace howdah::backup {

/// Where a backup's files come from: the primary's data directory, and that of a standby which
/// spares it the work.
struct Origin {
    std::string data{};                ///< of the primary, or the only one there is (offline)
    std::optional<Session> primary{};  ///< nullopt: offline
    ServerFacts facts{};               ///< of the primary
    std::string standby_data{};        ///< empty: all files come from the primary
    std::optional<Session> standby{};

    bool online() const { return primary.has_value(); }
};

/// Finds the primary, and a standby when backup-standby asks for one, among the clusters of this
/// host; with --no-online a data directory in which no PostgreSQL runs. Errors:
/// ExitCode::option_required, db_connect, db_mismatch, pg_running.
Result<Origin> open_origin(const Site& site);

/// Whether PostgreSQL archives, with a program that knows repositories. Errors:
/// ExitCode::archive_disabled, feature_not_supported, archive_command_invalid.
Result<> check_archiving(const ServerFacts& server, bool mode_check);

/// Until the standby's files hold all that was written before `start`: it has replayed so far, and
/// has made a checkpoint there. Errors: ExitCode::archive_timeout, when it does not come further in
/// archive-timeout; ExitCode::db_mismatch for one on another timeline.
Result<> wait_for_standby(const Site& site, Origin& origin, const WalPlace& start);

/// When all is copied: the standby has been one all the time. Errors: ExitCode::db_mismatch when it
/// was promoted meanwhile, for its files may hold what the primary never had.
Result<> check_still_standby(Origin& origin);

}  // namespace howdah::backup
