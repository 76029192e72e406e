#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backup/options/options.h"
#include "base/result.h"
#include "pg/lsn.h"
#include "pgclient/blocking.h"
#include "repo/manifest/manifest.h"

namespace howdah::backup {

/// What a server says of itself before a backup begins.
struct ServerFacts {
    bool in_recovery = false;
    std::string data_directory{};
    std::string archive_mode{}, archive_command{};
    std::uint64_t wal_segment_bytes = 0;
    bool page_checksums = false;
    Seconds checkpoint_timeout{};
};

/// Where a server is in its cluster's history.
struct ServerState {
    bool in_recovery = false;
    std::uint32_t timeline = 0;  ///< of a standby: of its last checkpoint
    pg::Lsn lsn{};               ///< written; of a standby: received or replayed

    bool operator==(const ServerState&) const = default;
};

/// Where a backup begins or ends in the WAL.
struct WalPlace {
    pg::Lsn lsn{};
    std::string segment{};  ///< name of the file that holds it
};

/// What the end of a backup returns: files that belong into it.
struct BackupEnd {
    WalPlace place{};
    std::string backup_label{};
    std::string tablespace_map{};  ///< blank: there are no tablespaces
};

struct ServerTablespace {
    std::uint32_t oid = 0;
    std::string name{};
};

/// A running server whose files are backed up: all that a backup says to it. The backup that
/// start() began ends without result when the session does. Any thread may call keep_alive();
/// the rest is for one. Errors: ExitCode::db_connect of open(), ExitCode::db_query of all others,
/// with the server's words.
class Session {
public:
    /// `limit`: of each question, db-timeout.
    static Result<Session> open(const ClusterOptions& cluster, Nanos limit);

    Result<ServerFacts> facts();
    Result<ServerState> state();
    /// Seconds since 1970 by its clock.
    Result<std::int64_t> now();
    Result<std::vector<repo::ManifestDatabase>> databases();
    Result<std::vector<ServerTablespace>> tablespaces();

    /// The segment that is being written.
    Result<std::string> current_segment();
    /// Closes the segment that is being written.
    Result<> switch_wal();
    /// `fast`: with a checkpoint at once, instead of with the next one.
    Result<WalPlace> start(bool fast);
    Result<BackupEnd> stop();

    /// Of a standby: what it has replayed; 0 before it has begun.
    Result<pg::Lsn> replayed();
    Result<> checkpoint();

    /// Asks something when that has not been done for 30 seconds, so that nobody on the way takes
    /// the connection for dead, and a session that has ended is noticed.
    Result<> keep_alive();

private:
    Session(pgclient::BlockingConnection connection, Nanos limit)
        : connection_(std::move(connection)),
          limit_(limit),
          mutex_(std::make_unique<std::mutex>()) {}
    Result<pgclient::Rows> ask(const std::string& sql,
                               const std::vector<std::string>& parameters = {});
    Result<pgclient::Row> ask_row(const std::string& sql,
                                  const std::vector<std::string>& parameters = {});
    bool before_10() const { return connection_.server_version() < 100000; }
    bool before_15() const { return connection_.server_version() < 150000; }

    pgclient::BlockingConnection connection_;
    Nanos limit_;
    std::unique_ptr<std::mutex> mutex_;
    Instant asked_{};
};

}  // namespace howdah::backup
