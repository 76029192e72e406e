#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "instance/local/local_instance.h"
#include "instance/local/pg_process.h"
#include "instance/local/reload_proof.h"

// The seal of a standby, and who is waited for at commit (safety-model.md section 5).

namespace howdah::instance {
namespace {

constexpr Nanos pause = Millis(10);
constexpr Nanos query_limit = Seconds(2);
/// A startup process that waits for a conflicting query or is paused doesn't end its walreceiver.
constexpr Nanos receiver_patience = Millis(200);

// The view hides a walreceiver that is still connecting; the activity doesn't.
constexpr auto receiver_sql = R"sql(
SELECT (SELECT pid FROM pg_stat_activity WHERE backend_type = 'walreceiver' LIMIT 1),
       (SELECT pid FROM pg_stat_wal_receiver),
       (SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup' LIMIT 1),
       (SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'startup' LIMIT 1),
       pg_last_wal_replay_lsn())sql";

constexpr auto taken_sql = R"sql(
SELECT a.pid, a.wait_event, r.application_name, r.state, r.sync_priority, pg_is_in_recovery()
  FROM pg_stat_activity a LEFT JOIN pg_stat_replication r USING (pid)
 WHERE a.backend_type IN ('checkpointer', 'walsender'))sql";

pid_t pid_of(const std::optional<std::string>& text) {
    return static_cast<pid_t>(std::atol(text.value_or("0").c_str()));
}

/// Follows a walreceiver to its end, as the rows of receiver_sql show it.
class ReceiverWatch {
public:
    /// True when none is left and the startup process won't ask for another.
    bool gone(const Row& row) {
        const auto receiver = std::max(pid_of(row[0]), pid_of(row[1]));
        const auto startup = pid_of(row[2]);
        proof_.look(startup, row[3].value_or(""));
        // Between two records, too, the startup process looks whether it was signalled.
        advances_ += row[4] != replayed_ ? 1 : 0;
        replayed_ = row[4];
        empty_ = receiver == 0 ? empty_ + 1 : 0;
        seen_ = receiver != 0 ? receiver : seen_;
        const bool taken = proof_.has(startup) || advances_ > 3 || ended_;
        return empty_ > 1 && taken;
    }
    /// One that was seen after the reload ends by our signal just as well: while the startup
    /// process believes in it, it doesn't ask for another before it has looked at its signals.
    void end_it() { ended_ = ended_ || (empty_ == 0 && seen_ != 0 && ::kill(seen_, SIGTERM) == 0); }

private:
    ReloadProof proof_{};
    std::optional<std::string> replayed_{};
    int advances_ = 0, empty_ = 0;
    pid_t seen_ = 0;
    bool ended_ = false;
};

/// Who doesn't act by `wanted` yet; empty: all do.
std::string laggard(const Rows& rows, const pg::SyncStandbys& wanted, ReloadProof& proof) {
    std::string who;
    for (const auto& row : rows) {
        const auto pid = pid_of(row[0]);
        proof.look(pid, row[1].value_or(""));
        const bool walsender = row[2].has_value();
        if (walsender && row[3] != "streaming") {
            continue;  // it confirms nothing before it has read the configuration again
        }
        const bool cascades = row[5] == "t";
        const auto priority = walsender && !cascades ? wanted.priority_of(*row[2]) : 0;
        if (walsender && row[4] != std::to_string(priority)) {
            who = fmt::format("the walsender of {} has sync_priority {}, not {}", *row[2],
                              row[4].value_or("none"), priority);
        } else if (!proof.has(pid)) {
            who = walsender ? "the walsender of " + *row[2] : "the checkpointer";
            who += " has not been seen to read it";
        }
    }
    return rows.empty() ? "there is no checkpointer" : who;
}

}  // namespace

// ---- the seal

Result<> LocalInstance::may_stop_receiving() const {
    const auto& job = local_.job;
    if (job.running && job.kind != JobKind::start && job.kind != JobKind::stop) {
        return fail(Errc::conflict, "stop receiving: the data directory is being made or promoted");
    }
    if (local_.postmaster && local_.role == ha::Role::primary) {
        return fail(Errc::conflict, "stop receiving: it runs as primary");
    }
    if (!settings_ || files_.classify() != DataDir::initialized) {
        return fail(Errc::invalid, settings_ ? "stop receiving: no cluster in " + files_.data_dir()
                                             : "stop receiving: not configured yet");
    }
    return {};
}

io::Task<Result<WalPosition>> LocalInstance::stop_receiving(Nanos limit) {
    const auto end = clock_.now() + limit;
    HD_CO_TRY_VOID(may_stop_receiving());
    following_.reset();
    local_.following.reset();
    local_.streaming_from_following = false;
    HD_CO_TRY_VOID(co_await await_launch(end));
    HD_CO_TRY_VOID(co_await reload());
    HD_CO_TRY_VOID(files_.forget_upstream_password());
    if (local_.postmaster) {
        // Not only when the file changed: the signal of an earlier attempt may not have got there.
        (void)co_await signal_postmaster("HUP");
    }
    if (local_.postmaster) {
        const auto stopped = co_await await_no_receiver(end);
        if (!stopped && local_.postmaster) {
            co_return std::unexpected(Error(stopped.error()).within("stop receiving"));
        }
    }
    co_return local_.postmaster ? co_await position_running(end) : co_await position_down(end);
}

/// A start job that has written the configuration but has no postmaster yet can't be told.
io::Task<Result<>> LocalInstance::await_launch(Instant end) {
    while (local_.job.running && local_.job.kind == JobKind::start && !local_.postmaster) {
        if (clock_.now() > end) {
            co_return fail(Errc::timeout, "PostgreSQL is just being started");
        }
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + pause));
    }
    co_return Result<>{};
}

/// A new connection shows what the postmaster has read, and passed on to its children.
io::Task<Result<>> LocalInstance::await_setting(std::string name, std::string value, Instant end) {
    std::string last = "PostgreSQL does not answer";
    while (local_.postmaster && clock_.now() < end) {
        HD_CO_TRY_VOID(may_connect());
        const auto rows = co_await query_once(local_keywords(""), "SHOW " + name,
                                              std::min(query_limit, end - clock_.now()));
        if (rows && !rows->empty() && rows->front().front() == value) {
            co_return Result<>{};
        }
        last = rows ? fmt::format("{} is still '{}'", name, rows->front().front().value_or(""))
                    : rows.error().message;
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + pause));
    }
    co_return fail(local_.postmaster ? Errc::timeout : Errc::unavailable, last);
}

io::Task<Result<>> LocalInstance::await_no_receiver(Instant end) {
    HD_CO_TRY_VOID(co_await await_setting("primary_conninfo", "", end));
    const auto patient_until = clock_.now() + receiver_patience;
    ReceiverWatch watch;
    while (clock_.now() < end) {
        {
            const auto turn = co_await one_query_.take();
            const auto left = std::min(query_limit, end - clock_.now());
            HD_CO_TRY_VOID(co_await ensure_connection(left));
            HD_CO_TRY(const auto rows, co_await connection_->query(receiver_sql, {}, left));
            if (watch.gone(rows.front())) {
                co_return Result<>{};
            }
        }
        if (clock_.now() > patient_until) {
            watch.end_it();
        }
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + pause));
    }
    co_return fail(Errc::timeout, "it may still receive WAL");
}

io::Task<Result<WalPosition>> LocalInstance::position_running(Instant end) {
    HD_CO_TRY_VOID(co_await ask_server(std::max<Nanos>(end - clock_.now(), pause)));
    if (local_.role != ha::Role::standby) {
        co_return fail(Errc::conflict, "stop receiving: it runs as primary");
    }
    HD_CO_TRY(const auto programs, tools());
    HD_CO_TRY(const auto control, co_await programs.control());
    const auto newest = files_.newest_wal(control.wal_segment_bytes);
    WalPosition position{.timeline = std::max(local_.timeline, newest.timeline),
                         .flushed = std::max(local_.received, local_.replayed)};
    if (local_.received == pg::Lsn{}) {
        // Since its start it has received nothing, and may not have replayed all that it got
        // before.
        std::vector<pg::Lsn> starts{local_.replayed};
        if (newest.timeline > local_.timeline) {
            starts.push_back(newest.first);
        }
        const auto found = co_await programs.end_of_wal(control, position.timeline, starts);
        position.flushed = std::max(position.flushed, found.value_or(pg::Lsn{}));
    }
    co_return position;
}

io::Task<Result<WalPosition>> LocalInstance::position_down(Instant end) {
    if (!co_await wait_dead(end - clock_.now())) {
        co_return fail(Errc::timeout, "stop receiving: PostgreSQL is not proven dead yet");
    }
    if (!control_known_ || local_.final_lsn == pg::Lsn{}) {
        co_await read_down_state();
    }
    if (local_.final_lsn == pg::Lsn{}) {
        co_return fail(Errc::not_found, "stop receiving: the end of the WAL was not found",
                       "start PostgreSQL: it finds it");
    }
    co_return WalPosition{.timeline = local_.timeline, .flushed = local_.final_lsn};
}

// ---- synchronous standbys

io::Task<Result<>> LocalInstance::set_sync_standbys(std::optional<std::string> names, Nanos limit) {
    const auto end = clock_.now() + limit;
    HD_CO_TRY_VOID(pg::SyncStandbys::parse(names.value_or("")));
    if (local_.postmaster && !settings_) {
        co_return fail(Errc::invalid, "synchronous standbys: not configured yet");
    }
    HD_CO_TRY_VOID(files_.remember_sync_standbys(names));
    sync_standbys_ = std::move(names);
    const auto kind = local_.job.kind;
    if (local_.job.running &&
        (kind == JobKind::clone || kind == JobKind::initdb || kind == JobKind::rewind)) {
        co_return Result<>{};
    }
    HD_CO_TRY_VOID(co_await await_launch(end));
    HD_CO_TRY_VOID(co_await reload());
    if (!local_.postmaster) {
        co_return Result<>{};
    }
    HD_CO_TRY_VOID(co_await signal_postmaster("HUP"));
    const auto& configured = settings_->parameters;
    const auto own = configured.find("synchronous_standby_names");
    const auto text = sync_standbys_.value_or(own == configured.end() ? "" : own->second);
    auto taken = co_await await_setting("synchronous_standby_names", text, end);
    if (taken) {
        HD_CO_TRY(const auto wanted, pg::SyncStandbys::parse(text));
        taken = co_await await_sync_taken(wanted, end);
    }
    if (!taken) {
        co_return std::unexpected(std::move(taken).error().within("synchronous standbys"));
    }
    if (local_.role == ha::Role::primary) {
        local_.sync_standby_names = text;
    }
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::await_sync_taken(pg::SyncStandbys wanted, Instant end) {
    HD_CO_TRY(const auto connection,
              co_await Connection::open(clock_, local_keywords(""), end - clock_.now()));
    ReloadProof proof;
    std::string who;
    while (clock_.now() < end) {
        HD_CO_TRY(const auto rows, co_await connection->query(
                                       taken_sql, {}, std::min(query_limit, end - clock_.now())));
        who = laggard(rows, wanted, proof);
        if (who.empty()) {
            co_return Result<>{};
        }
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + pause));
    }
    co_return fail(Errc::timeout, who);
}

io::Task<Result<>> LocalInstance::await_sync_flush(pg::Lsn lsn, int count,
                                                   std::vector<std::string> of, Nanos limit) {
    HD_CO_TRY_VOID(must_run("sync barrier"));
    const auto end = clock_.now() + limit;
    int have = 0;
    while (local_.postmaster && clock_.now() < end) {
        if (co_await ask_server(end - clock_.now()) && local_.role == ha::Role::primary) {
            have = ha::flushed_by(local_.walsenders, lsn, of);
            if (have >= count) {
                co_return Result<>{};
            }
        }
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + pause));
    }
    co_return fail(
        local_.postmaster ? Errc::timeout : Errc::unavailable,
        fmt::format("sync barrier: {} of {} standbys have flushed {}", have, count, lsn.text()));
}

}  // namespace howdah::instance
