#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "ha/member.h"
#include "pg/control_data.h"
#include "pg/lsn.h"

namespace howdah::ha {

/// A server to stream from, clone or rewind from.
struct Upstream {
    std::string name{};
    std::string host{};
    std::uint16_t port = 0;
    bool operator==(const Upstream&) const = default;
};

enum class DataDir : std::uint8_t {
    empty,  ///< no global/pg_control, nothing but dot-files and lost+found
    initialized,
    broken,  ///< files but no pg_control, or not readable
};

/// Long work, one at a time. It runs on while the agent looks elsewhere.
enum class JobKind : std::uint8_t {
    none,
    initdb,
    clone,
    rewind,
    start,
    stop,
    promote,
    crash_recovery
};
struct Job {
    JobKind kind = JobKind::none;
    bool running = false;
    Instant since{};
    std::string error{};  ///< of the last one, when it failed
    int failures = 0;     ///< in a row, of this kind
};

struct Walsender {
    std::string application_name{}, client_addr{}, state{}, sync_state{}, usename{};
    int sync_priority = 0;
    pg::Lsn write{}, flush{}, replay{};
    Millis silent{};  ///< so long it has owed a word about WAL that was sent to it
};

/// What a sealed standby answers: all WAL up to here is flushed on it, and no more will come.
struct WalPosition {
    pg::Timeline timeline = 0;
    pg::Lsn flushed{};
    bool operator==(const WalPosition&) const = default;
};

/// How many of the standbys named in `of` have flushed `lsn`, as the primary sees them. A name
/// counts once.
int flushed_by(const std::vector<Walsender>& walsenders, pg::Lsn lsn,
               const std::vector<std::string>& of);

/// The local PostgreSQL at one moment. Nothing in it is live.
struct Local {
    DataDir data_dir = DataDir::empty;
    std::string system_id{};  ///< decimal; empty while unknown
    bool postmaster = false;  ///< a postmaster process lives
    bool accepting = false;   ///< and answers queries
    Role role = Role::none;   ///< primary from the moment it is started as, or told to become, one
    PgState state = PgState::stopped;
    bool tree_dead = true;      ///< proven: no process of it is left (F1)
    bool unfenced = false;      ///< it runs, started by another than Howdah, without a fencer
    bool crashed = false;       ///< it ended without being asked to
    int server_version = 0;     ///< 150018; major while it is down
    pg::Timeline timeline = 0;  ///< primary: current; standby: received, else replayed
    pg::Lsn lsn{};              ///< primary: flush position; standby: max(received, replayed)
    pg::Lsn received{}, replayed{};
    std::string replayed_at{};  ///< timestamp text, may be empty
    bool replay_paused = false;
    std::string replication_state{};      ///< "streaming", "in archive recovery" or empty
    std::optional<Upstream> following{};  ///< what the configuration on disk follows
    bool streaming_from_following = false;
    pg::Lsn final_lsn{};        ///< tree dead: end of valid WAL; 0 while not known
    pg::ControlData control{};  ///< as last read
    bool checkpointed_since_promote = true;
    std::string postmaster_start_time{};  ///< YYYY-MM-DD HH:MM:SS.ffffff+00:00
    /// {"max_connections": {"old_value": "50", "new_value": "60"}}: what waits for a restart; or
    /// empty.
    std::string pending_restart_json{};
    std::vector<Walsender> walsenders{};
    Job job{};
    bool needs_rewind = false;  ///< local history left the upstream's (checked by check_divergence)
    bool rewind_possible = true;  ///< checksums or wal_log_hints, and use_pg_rewind
    /// synchronous_standby_names of a primary, as its sessions read it; empty otherwise. It has
    /// taken effect everywhere only when set_sync_standbys() said so.
    std::string sync_standby_names{};
    /// When the postmaster last answered a new connection, be it with a refusal; its start or
    /// adoption, before the first answer; never, while there is none. One is tried every 2 s.
    Instant answered{};
    /// Why the disk of data or WAL takes no durable write, or not for long; empty: fine. Looked at
    /// every 3 s, PostgreSQL running or not.
    std::string disk_trouble{};
    /// Why the watchdog that must be there can't back the fencer; empty: it can, or need not.
    std::string watchdog_trouble{};
};

}  // namespace howdah::ha
