#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "config/dynamic_config.h"
#include "ha/member.h"
#include "io/task.h"
#include "pg/lsn.h"

namespace howdah::instance {

/// A server to stream from, clone or rewind from.
struct Upstream {
    std::string name{};
    std::string host{};
    std::uint16_t port = 0;
    bool operator==(const Upstream&) const = default;
};

enum class DataDir : std::uint8_t {
    empty,        ///< no global/pg_control, nothing but dot-files and lost+found
    initialized,
    broken,       ///< files but no pg_control, or not readable
};

/// Long work, one at a time. It runs on while the agent looks elsewhere.
enum class JobKind : std::uint8_t { none, initdb, clone, rewind, start, stop, promote, crash_recovery };
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
    pg::Lsn flush{}, replay{};
};

/// What pg_control says (pg_controldata).
struct ControlData {
    std::string state{};  ///< PostgreSQL's words: "in production", "shut down", ...
    std::string system_id{};
    pg::Timeline timeline = 0;        ///< of the latest checkpoint
    pg::Lsn checkpoint{};             ///< latest checkpoint location (its start)
    pg::Lsn redo{};
    pg::Lsn min_recovery{};
    pg::Timeline min_recovery_timeline = 0;
    bool data_checksums = false;
    bool wal_log_hints = false;
};

/// The local PostgreSQL at one moment. Nothing in it is live.
struct Local {
    DataDir data_dir = DataDir::empty;
    std::string system_id{};        ///< decimal; empty while unknown
    bool postmaster = false;        ///< a postmaster process lives
    bool accepting = false;         ///< and answers queries
    ha::Role role = ha::Role::none; ///< what the answering (or last known) server is
    ha::PgState state = ha::PgState::stopped;
    bool tree_dead = true;          ///< proven: no process of it is left (F1)
    bool crashed = false;           ///< it ended without being asked to
    int server_version = 0;         ///< 150018; major while it is down
    pg::Timeline timeline = 0;      ///< primary: current; standby: received, else replayed
    pg::Lsn lsn{};                  ///< primary: flush position; standby: max(received, replayed)
    pg::Lsn received{}, replayed{};
    std::string replayed_at{};      ///< timestamp text, may be empty
    bool replay_paused = false;
    std::string replication_state{};  ///< "streaming", "in archive recovery" or empty
    std::optional<Upstream> following{};   ///< what the configuration on disk follows
    bool streaming_from_following = false;
    pg::Lsn final_lsn{};            ///< tree dead: end of valid WAL; 0 while not known
    ControlData control{};          ///< as last read
    bool checkpointed_since_promote = true;
    std::string postmaster_start_time{};  ///< YYYY-MM-DD HH:MM:SS.ffffff+00:00
    std::vector<Walsender> walsenders{};
    Job job{};
    bool needs_rewind = false;      ///< local history left the upstream's (checked by check_divergence)
    bool rewind_possible = true;    ///< checksums or wal_log_hints, and use_pg_rewind
};

/// How far PostgreSQL may go. Term deadlines reach the fencer's page directly, not through here.
enum class StartAs : std::uint8_t {
    standby,  ///< with standby.signal: can't become writable by itself (L11)
    primary,  ///< only while this incarnation holds the record and the fencer is armed
};
enum class StopMode : std::uint8_t { fast, immediate };

/// The local PostgreSQL, in the words of HA. Its adapter is instance/local, its model instance/fake; one
/// contract test runs on both. One executor; calls don't overlap, except observe() and fence().
///
/// start, stop, clone, initialize, rewind and promote begin a job and return at once (Errc::conflict while
/// another one runs); observe() shows it and `on_change` is called when it ends.
class Instance {
public:
    virtual ~Instance() = default;

    /// Called (on this executor) when the postmaster exits, a job ends or the streaming state changes.
    virtual void on_change(std::function<void()> wake) = 0;
    /// Asks PostgreSQL for at most `limit`; unanswered, the last known values with `accepting` false.
    virtual io::Task<Local> observe(Nanos limit) = 0;
    /// Settings for files and command line; written at the next start, or at once with reload when running.
    virtual io::Task<Result<>> configure(config::EffectivePostgresql settings) = 0;
    /// Takes over a postmaster that an earlier agent's fencer runs. Nothing to take over is no error.
    virtual io::Task<Result<>> adopt() = 0;

    virtual Result<> initialize(config::Bootstrap how) = 0;        ///< initdb, pg_hba; not started
    virtual Result<> clone(Upstream from) = 0;                     ///< pg_basebackup into an empty directory
    virtual Result<> rewind(Upstream from) = 0;                    ///< pg_rewind; impossible: see rewind policy in docs
    virtual Result<> start(StartAs as, std::optional<Upstream> follow) = 0;
    virtual Result<> stop(StopMode mode) = 0;
    virtual Result<> promote() = 0;

    /// Points a standby at `from` (nullopt: at nobody) by configuration and reload.
    virtual io::Task<Result<>> follow(std::optional<Upstream> from) = 0;
    /// Kills the whole tree and waits until it is proven dead (F1), at most `limit`.
    /// Errors: Errc::timeout: a process is left that doesn't die (F3).
    virtual io::Task<Result<>> fence(Nanos limit) = 0;
    /// Superuser, replication and rewind roles, bootstrap.users, post_bootstrap; on a new primary.
    virtual io::Task<Result<>> create_users(config::Bootstrap how) = 0;
    virtual io::Task<Result<>> checkpoint(Nanos limit) = 0;
    /// Compares histories with `primary` (IDENTIFY_SYSTEM, TIMELINE_HISTORY); sets Local::needs_rewind.
    virtual io::Task<Result<>> check_divergence(Upstream primary) = 0;
    /// Physical slots for exactly these members (patroni-compatibility.md 9.1, 9.2).
    virtual io::Task<Result<>> keep_slots(std::vector<std::string> member_names) = 0;
    /// Text of pg_wal/<timeline>.history, or empty for timeline 1.
    virtual io::Task<Result<std::string>> timeline_history(pg::Timeline timeline) = 0;
};

}  // namespace howdah::instance
