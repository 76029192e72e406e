#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "config/dynamic_config.h"
#include "ha/local.h"
#include "ha/member.h"
#include "io/task.h"
#include "pg/lsn.h"

namespace howdah::instance {

using ha::DataDir;
using ha::Job;
using ha::JobKind;
using ha::Local;
using ha::Upstream;
using ha::WalPosition;
using ha::Walsender;

/// How far PostgreSQL may go. Term deadlines reach the fencer's page directly, not through here.
enum class StartAs : std::uint8_t {
    standby,  ///< with standby.signal: can't become writable by itself (L11)
    primary,  ///< only while this incarnation holds the record and the fencer is armed
    /// As `primary`, of a restored directory: by its recovery.signal it recovers to its target
    /// first, for as long as that takes, and the job ends when it is out of recovery.
    restored,
};
enum class StopMode : std::uint8_t { fast, immediate };

/// A setting that PostgreSQL would not start with.
struct RefusedSetting {
    std::string name{}, value{};
    std::string why{};  ///< PostgreSQL's own message
    bool operator==(const RefusedSetting&) const = default;
};

/// The local PostgreSQL, in the words of HA. Its adapter is instance/local, its model
/// instance/fake; one contract test runs on both. One executor; calls don't overlap, except
/// observe() and fence().
///
/// start, stop, clone, initialize, rewind and promote begin a job and return at once
/// (Errc::conflict while another one runs); observe() shows it and `on_change` is called when it
/// ends.
class Instance {
public:
    virtual ~Instance() = default;

    /// Called (on this executor) when the postmaster exits, a job ends or the streaming state
    /// changes.
    virtual void on_change(std::function<void()> wake) = 0;
    /// Asks PostgreSQL for at most `limit`; unanswered, the last known values with `accepting`
    /// false.
    virtual io::Task<Local> observe(Nanos limit) = 0;
    /// Settings for files and command line; written at the next start, or at once with reload when
    /// running. What PostgreSQL would refuse is left out, and named in Local::settings_refused.
    virtual io::Task<Result<>> configure(config::EffectivePostgresql settings) = 0;
    /// The logins (superuser, replication, rewind) for what is asked from here on. Standbys stream
    /// with the new one after the next configure().
    virtual void take_logins(const config::Postgresql& from) = 0;
    /// What PostgreSQL of this host would refuse of them; nothing is changed. Errors: it could not
    /// be asked.
    virtual io::Task<Result<std::vector<RefusedSetting>>> refused_settings(
        config::EffectivePostgresql settings) = 0;
    /// Takes over a postmaster that an earlier agent's fencer runs. Nothing to take over is no
    /// error.
    virtual io::Task<Result<>> adopt() = 0;

    virtual Result<> initialize(config::Bootstrap how) = 0;  ///< initdb, pg_hba; not started
    /// Marks a restored directory as this member's bootstrap, notes which archive it came from and
    /// adds bootstrap.pg_hba. Again: nothing happens. Errors: Errc::io, Errc::invalid: not
    /// restored.
    virtual io::Task<Result<>> adopt_restored(config::Bootstrap how) = 0;
    /// Empties a directory that this member's bootstrap made and that nobody has started. Errors:
    /// Errc::unsafe: it may hold more than that.
    virtual io::Task<Result<>> abandon_bootstrap() = 0;
    /// What `info --output=json` says of the stanza that these options name. Errors: Errc::io,
    /// Errc::not_found.
    virtual io::Task<Result<std::string>> ask_archive(std::vector<std::string> options) = 0;
    /// Whether the archive of these options has `claim`, which is this cluster's alone. Errors:
    /// Errc::io.
    virtual io::Task<Result<bool>> archive_has_claim(std::vector<std::string> options,
                                                     std::string claim) = 0;
    /// Leaves `claim`, which is this cluster's alone, in the archive of these options, unless
    /// another's is there. Errors: Errc::io: it is, or may be.
    virtual io::Task<Result<>> claim_archive(std::vector<std::string> options,
                                             std::string claim) = 0;
    /// Takes the mark of an unfinished bootstrap away, and with it what only its recovery needed.
    virtual io::Task<Result<>> end_bootstrap() = 0;
    virtual Result<> clone(Upstream from) = 0;  ///< pg_basebackup into an empty directory
    /// Removes the data directory of a server that is down, and copies `from`; WAL that left the
    /// history is set aside first. Errors of the job: Errc::unsafe, when `from` is another cluster.
    virtual Result<> reinitialize(Upstream from) = 0;
    virtual Result<> rewind(
        Upstream from) = 0;  ///< pg_rewind; impossible: see rewind policy in docs
    virtual Result<> start(StartAs as, std::optional<Upstream> follow) = 0;
    virtual Result<> stop(StopMode mode) = 0;
    /// Opens exactly `timeline` (N1), which is above the one that this standby is on; 0: the next
    /// one, as pg_promote() alone would.
    virtual Result<> promote(pg::Timeline timeline) = 0;

    /// Points a standby at `from` (nullopt: at nobody) by configuration and reload.
    virtual io::Task<Result<>> follow(std::optional<Upstream> from) = 0;
    /// Seals a standby (safety-model.md section 5, step 2): durably points it at nobody, waits
    /// until nothing is received any more, at most `limit`, and tells how far its WAL is flushed.
    /// It won't stream again before follow() or start() names an upstream. One that is down says
    /// what its data directory holds. After an error it may have stopped, or may do so yet. Errors:
    /// Errc::conflict (a running primary, or its data directory is being made), Errc::timeout,
    /// Errc::not_found (down, and the end of its WAL can't be told).
    virtual io::Task<Result<WalPosition>> stop_receiving(Nanos limit) = 0;
    /// Sets synchronous_standby_names durably ("": none; nullopt: what the configuration says) and
    /// waits until the postmaster, the checkpointer and every streaming walsender act by it, at
    /// most `limit`. It stays so over restarts and role changes. Before promote() rather than
    /// after: a standby has it from the moment it is promoted, and then its checkpointer may be
    /// busy. Errors: Errc::invalid (not such a list; nothing was touched), Errc::timeout (it is
    /// written, but somebody may not act by it yet: call again).
    virtual io::Task<Result<>> set_sync_standbys(std::optional<std::string> names, Nanos limit) = 0;
    /// The sync barrier (section 5, step 7): waits until `count` of the standbys named in `of` have
    /// flushed `lsn`, at most `limit`. Errors: Errc::timeout with how many have.
    virtual io::Task<Result<>> await_sync_flush(pg::Lsn lsn, int count, std::vector<std::string> of,
                                                Nanos limit) = 0;
    /// Kills the whole tree and waits until it is proven dead (F1), at most `limit`.
    /// Errors: Errc::timeout: a process is left that doesn't die (F3).
    virtual io::Task<Result<>> fence(Nanos limit) = 0;
    /// Superuser, replication and rewind roles, bootstrap.users, post_bootstrap; on a new primary.
    virtual io::Task<Result<>> create_users(config::Bootstrap how) = 0;
    virtual io::Task<Result<>> checkpoint(Nanos limit) = 0;
    /// Compares histories with `primary` (IDENTIFY_SYSTEM, TIMELINE_HISTORY); sets
    /// Local::needs_rewind.
    virtual io::Task<Result<>> check_divergence(Upstream primary) = 0;
    /// Physical slots for exactly these members (patroni-compatibility.md 9.1, 9.2).
    virtual io::Task<Result<>> keep_slots(std::vector<std::string> member_names) = 0;
    /// Ends a walsender (pg_terminate_backend); nothing happens when `pid` is none.
    virtual io::Task<Result<>> end_walsender(int pid) = 0;
    /// Drops the physical slots of these members that nobody streams from: a server that led once
    /// would keep WAL for them for ever.
    virtual io::Task<Result<>> drop_slots(std::vector<std::string> member_names) = 0;
    /// Text of pg_wal/<timeline>.history, or empty for timeline 1.
    virtual io::Task<Result<std::string>> timeline_history(pg::Timeline timeline) = 0;
};

}  // namespace howdah::instance
