#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "ha/archive_gate.h"
#include "ha/held_wal.h"
#include "ha/member.h"
#include "pg/control_data.h"
#include "pg/lsn.h"

namespace howdah::ha {

/// A server to stream from, clone or rewind from.
struct Upstream {
    std::string name{};
    std::string host{};
    std::uint16_t port = 0;
    /// What its term says of it, to prove that it is the one that answers; 0 or empty: unknown.
    pg::Timeline timeline = 0;
    std::string system_id{};
    /// The same place, whatever its term says.
    bool operator==(const Upstream& other) const {
        return name == other.name && host == other.host && port == other.port;
    }
};

enum class DataDir : std::uint8_t {
    empty,  ///< no global/pg_control, nothing but dot-files and lost+found
    initialized,
    broken,  ///< files but no pg_control, or not readable, or a restore was broken off
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

/// PostgreSQL failed so often in a row that this member leads on it no more by itself.
constexpr int start_attempts = 3;
bool gave_up_starting(const Job& job);

struct Walsender {
    std::string application_name{}, client_addr{}, state{}, sync_state{}, usename{};
    int sync_priority = 0;
    pg::Lsn write{}, flush{}, replay{};
    Millis silent{};  ///< so long it has owed a word about WAL that was sent to it
    int pid = 0;
    std::uint64_t client_port = 0;  ///< of its receiver's end of the connection; 0: not known
    std::string slot{};             ///< that it holds, or empty
    Uuid member{};    ///< whose own agent confirmed this connection (N17); empty: nobody has
    Instant since{};  ///< when this agent saw it first
};

/// What a sealed standby answers: all WAL up to here is flushed on it, and no more will come.
struct WalPosition {
    pg::Timeline timeline = 0;
    pg::Lsn flushed{};
    bool operator==(const WalPosition&) const = default;
};

/// Whose own agent confirmed the connection, and how many of those are named in `of` and have
/// flushed `lsn`: PostgreSQL counts whatever calls itself so. A member counts once.
int members_caught_up(const std::vector<Walsender>& walsenders, pg::Lsn lsn,
                      const std::vector<std::string>& of);

/// How many of the standbys named in `of` have flushed `lsn`, as the primary sees them. A name
/// counts once.
int flushed_by(const std::vector<Walsender>& walsenders, pg::Lsn lsn,
               const std::vector<std::string>& of);

/// What a restore left to do: recovery.signal is there, so PostgreSQL recovers from an archive,
/// ends that at its target, and opens a timeline of its own.
struct Restored {
    std::string target{};     ///< for sentences: "the end of the archive", "time 2026-11-30 12:00"
    std::string stanza{};     ///< that its restore_command names; empty: none
    bool shuts_down = false;  ///< recovery_target_action: it would end instead of being promoted
};

/// The local PostgreSQL at one moment. Nothing in it is live.
struct Local {
    DataDir data_dir = DataDir::empty;
    std::string system_id{};  ///< decimal; empty while unknown
    bool postmaster = false;  ///< a postmaster process lives
    bool accepting = false;   ///< and answers queries
    std::string no_answer{};  ///< else what the last question to it ended with
    Role role = Role::none;   ///< primary from the moment it is started as, or told to become, one
    PgState state = PgState::stopped;
    bool tree_dead = true;  ///< proven: no process of it is left (F1)
    /// It runs without a fencer, started by another than Howdah, or below one that is armed for
    /// another instant than the page shows: nothing ends it at the deadline.
    bool unfenced = false;
    bool crashed = false;       ///< it ended without being asked to
    int server_version = 0;     ///< 150018; major while it is down
    pg::Timeline timeline = 0;  ///< primary: current; standby: received, else replayed
    pg::Lsn lsn{};              ///< primary: flush position; standby: max(received, replayed)
    pg::Lsn received{}, replayed{};
    std::string replayed_at{};  ///< timestamp text, may be empty
    bool replay_paused = false;
    bool in_recovery = false;  ///< as PostgreSQL last said; so is one that is being promoted
    /// Of a primary that archives: when the last archived segment was written to its end. What was
    /// committed before is in the archive. Seconds since 1970; 0: not known.
    std::int64_t recoverable_until = 0;
    std::string replication_state{};      ///< "streaming", "in archive recovery" or empty
    std::optional<Upstream> following{};  ///< what the configuration on disk follows
    bool streaming_from_following = false;
    std::uint64_t receiver_port = 0;  ///< this end of the walreceiver's connection; 0: not known
    pg::Lsn final_lsn{};              ///< tree dead: end of valid WAL; 0 while not known
    pg::ControlData control{};        ///< as last read
    /// Since when pg_control of a server that is stopping says "shut down": it waits for archiver,
    /// walsenders and receivers only. Never: it has not got so far, or it is down.
    Instant shut_down_seen{};
    bool checkpointed_since_promote = true;
    std::string postmaster_start_time{};  ///< YYYY-MM-DD HH:MM:SS.ffffff+00:00
    /// {"max_connections": {"old_value": "50", "new_value": "60"}}: what waits for a restart; or
    /// empty.
    std::string pending_restart_json{};
    std::vector<Walsender> walsenders{};
    Job job{};
    /// The directory can't follow the upstream as it is: local history left the upstream's, or WAL
    /// that it needs is gone (checked by check_divergence), and
    bool needs_rewind = false;
    std::string rewind_why{};     ///< how that was seen
    bool rewind_possible = true;  ///< checksums or wal_log_hints, and use_pg_rewind
    /// synchronous_standby_names of a primary, as its sessions read it; empty otherwise. It has
    /// taken effect everywhere only when set_sync_standbys() said so.
    std::string sync_standby_names{};
    /// What set_sync_standbys() was last told, over restarts and role changes; nullopt: what the
    /// configuration says.
    std::optional<std::string> kept_standby_names{};
    /// When the postmaster last answered a new connection, be it with a refusal; its start or
    /// adoption, before the first answer; never, while there is none. One is tried every 2 s.
    Instant answered{};
    /// Why the disk of data or WAL takes no durable write, or not for long; empty: fine. Looked at
    /// every 3 s, PostgreSQL running or not.
    std::string disk_trouble{};
    Instant disk_waits_since{};  ///< a write has not come back since then; never: all have
    /// Why the fencer that lives can't be relied on; empty: it answers, or there is none. It is
    /// asked every 2 s.
    std::string fencer_trouble{};
    /// Why the watchdog that must be there can't back the fencer; empty: it can, or need not.
    std::string watchdog_trouble{};
    /// The directory was restored, and PostgreSQL has not ended its recovery. While it recovers so
    /// it counts as a primary that does not accept yet: it becomes writable by itself.
    std::optional<Restored> restored{};
    /// Settings of the configuration that PostgreSQL would not start with, and why: they are left
    /// out. Empty: it takes them all.
    std::string settings_refused{};
    /// What PostgreSQL finds wrong in its configuration files as they are on disk: it runs with
    /// what it has read before, and may not start with them. Empty: nothing, or it does not run.
    std::string file_errors{};
    bool bootstrap_begun = false;  ///< the mark of this member's unfinished bootstrap is in it
    /// Of a cluster that was made from a backup: from where; nullopt for all others.
    std::optional<Origin> origin{};
    ArchiveGate archive_gate{};  ///< of such a one; open for all others
};

/// What WAL the data directory holds; timeline 0: not known.
HeldWal wal_of(const Local& local);

}  // namespace howdah::ha
