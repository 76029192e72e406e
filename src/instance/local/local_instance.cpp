#include "instance/local/local_instance.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/dynamic_check.h"
#include "instance/local/file_errors.h"
#include "instance/local/pg_process.h"
#include "instance/local/settings_trial.h"

namespace howdah::instance {
namespace {

/// PostgreSQL reads all of them for one look.
constexpr Nanos files_every = Seconds(2);

// PostgreSQL 13 to 18. One row; what a role doesn't have is null. A walreceiver calls itself
// streaming as soon as it has connected, so that one whose slot is missing flickers: it counts from
// its first message, and both message times are equal until then (measured on 15).
constexpr auto observe_sql = R"sql(
SELECT r.standby, current_setting('server_version_num'),
       to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00:00',
       (SELECT system_identifier FROM pg_control_system()),
       CASE WHEN NOT r.standby THEN pg_current_wal_flush_lsn() END,
       CASE WHEN NOT r.standby THEN pg_walfile_name(pg_current_wal_lsn()) END,
       CASE WHEN r.standby THEN pg_last_wal_receive_lsn() END,
       CASE WHEN r.standby THEN pg_last_wal_replay_lsn() END,
       CASE WHEN r.standby THEN to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC',
                                        'YYYY-MM-DD HH24:MI:SS.US') || '+00:00' END,
       CASE WHEN r.standby THEN pg_is_wal_replay_paused() END,
       CASE WHEN w.status = 'streaming' AND w.last_msg_send_time = w.last_msg_receipt_time
                 AND w.last_msg_receipt_time > clock_timestamp() - interval '200 milliseconds'
            THEN 'starting' ELSE w.status END,
       w.received_tli, w.sender_host, w.sender_port,
       c.timeline_id, c.checkpoint_lsn, c.redo_lsn, m.min_recovery_end_lsn, m.min_recovery_end_timeline,
       (SELECT coalesce(json_agg(json_build_object(
                   'application_name', application_name, 'client_addr', client_addr, 'state', state,
                   'sync_state', sync_state, 'usename', usename, 'sync_priority', sync_priority,
                   'pid', pid, 'client_port', client_port,
                   'slot', (SELECT s.slot_name FROM pg_replication_slots s WHERE s.active_pid = pid LIMIT 1),
                   'write', write_lsn, 'flush', flush_lsn, 'replay', replay_lsn,
                   'silent_ms', CASE WHEN sent_lsn > flush_lsn THEN
                       (extract(epoch FROM clock_timestamp() - reply_time) * 1000)::bigint END)), '[]')
          FROM pg_stat_replication),
       (SELECT json_object_agg(s.name, json_build_object(
                   'old_value', current_setting(s.name),
                   'new_value', coalesce((SELECT f.setting FROM pg_file_settings f
                                           WHERE f.name = s.name ORDER BY f.seqno DESC LIMIT 1),
                                         s.boot_val)) ORDER BY s.name)
          FROM pg_settings s
         WHERE s.pending_restart AND s.name <> 'hot_standby' AND s.name NOT LIKE 'recovery%'),
       current_setting('data_directory'),
       CASE WHEN NOT r.standby THEN current_setting('synchronous_standby_names') END,
       w.pid,
       CASE WHEN NOT r.standby AND current_setting('archive_mode') <> 'off' THEN
           (SELECT floor(extract(epoch FROM (pg_stat_file('pg_wal/' || last_archived_wal, true)).modification))::bigint
              FROM pg_stat_archiver WHERE last_archived_wal ~ '^[0-9A-F]{24}$') END
  FROM (SELECT pg_is_in_recovery() AS standby) r
       CROSS JOIN pg_control_checkpoint() c CROSS JOIN pg_control_recovery() m
       LEFT JOIN pg_stat_wal_receiver w ON true)sql";

enum Column {
    standby,
    version,
    start_time,
    system_id,
    flushed,
    wal_file,
    received,
    replayed,
    replayed_at,
    paused,
    receiver,
    receiver_timeline,
    sender_host,
    sender_port,
    control_timeline,
    checkpoint_lsn,
    redo_lsn,
    min_recovery,
    min_recovery_timeline,
    walsenders,
    pending_restart,
    data_directory,
    sync_standbys,
    receiver_pid,
    archived_until,
    column_count,
};

std::string text(const Row& row, Column column) {
    return row[column].value_or("");
}

std::uint32_t number(const Row& row, Column column) {
    return static_cast<std::uint32_t>(std::strtoul(text(row, column).c_str(), nullptr, 10));
}

pg::Lsn lsn(const Row& row, Column column) {
    return pg::Lsn::parse(text(row, column)).value_or(pg::Lsn{});
}

std::int64_t json_number(const nlohmann::json& object, const char* key) {
    const auto it = object.find(key);
    return it != object.end() && it->is_number() ? it->get<std::int64_t>() : 0;
}

std::string json_text(const nlohmann::json& object, const char* key) {
    const auto& value = object[key];
    return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace

Result<> check_binaries(const config::AgentConfig& config) {
    const auto& pg = config.postgresql;
    const int major = PgFiles(pg, config.state_dir).major_version();
    HD_TRY(const auto bin_dir, find_bin_dir(pg.bin_dir, major));
    for (const auto* program :
         {"initdb", "pg_basebackup", "pg_controldata", "pg_rewind", "pg_waldump"}) {
        if (::access((bin_dir + "/" + program).c_str(), X_OK) != 0) {
            return fail(Errc::not_found, bin_dir + "/" + program + ": no such program",
                        "install PostgreSQL's server package, or correct postgresql.bin_dir");
        }
    }
    return {};
}

LocalInstance::LocalInstance(io::Executor executor, io::Clock& clock, config::AgentConfig config,
                             std::string howdah_binary)
    : executor_(executor),
      clock_(clock),
      config_(std::move(config)),
      binary_(std::move(howdah_binary)),
      files_(config_.postgresql, config_.state_dir, config_.name),
      scope_(executor),
      one_query_(executor),
      one_trial_(executor) {
    following_ = files_.remembered_following();
    sync_standbys_ = files_.remembered_sync_standbys();
}

LocalInstance::~LocalInstance() = default;

io::Task<> LocalInstance::close() {
    wake_ = nullptr;
    co_await scope_.close();
    if (fencer_) {
        co_await fencer_->close();
    }
}

void LocalInstance::changed() const {
    if (wake_) {
        wake_();
    }
}

namespace {

/// Changes when the settings or the program do.
std::string trial_key(const std::string& program, const config::EffectivePostgresql& settings) {
    struct stat at{};
    (void)::stat(program.c_str(), &at);
    auto key = fmt::format("{} {} {}\n", program, at.st_mtim.tv_sec, at.st_ino);
    for (const auto* all : {&settings.parameters, &settings.recovery}) {
        for (const auto& [name, value] : *all) {
            key += conf_line(name, value);
        }
    }
    return key;
}

}  // namespace

Result<PgTools> LocalInstance::tools() const {
    HD_TRY(auto bin_dir, find_bin_dir(config_.postgresql.bin_dir, files_.major_version()));
    return PgTools(clock_, std::move(bin_dir), files_.data_dir());
}

// ---- jobs

Result<> LocalInstance::must_be_idle(const char* what) const {
    if (local_.job.running) {
        return fail(Errc::conflict, std::string(what) + ": another job runs");
    }
    return {};
}

Result<> LocalInstance::begin(JobKind kind, std::function<Work()> work) {
    HD_TRY_VOID(must_be_idle("begin"));
    auto& job = local_.job;
    job = {.kind = kind,
           .running = true,
           .since = clock_.now(),
           .error = {},
           .failures = job.kind == kind ? job.failures : 0};
    scope_.spawn([this, work = std::move(work)] { return run_job(work); });
    return {};
}

io::Task<> LocalInstance::run_job(std::function<Work()> work) {
    const auto result = co_await work();
    auto& job = local_.job;
    job.running = false;
    job.since = clock_.now();
    job.failures = result ? 0 : job.failures + 1;
    if (!result) {
        const auto& error = result.error();
        job.error = error.message + (error.hint.empty() ? "" : "; hint: " + error.hint);
    }
    changed();
}

ha::PgState LocalInstance::state() const {
    using enum ha::PgState;
    const auto& job = local_.job;
    const bool failed = !job.running && job.failures > 0;
    switch (job.kind) {
        case JobKind::initdb:
            if (job.running || failed) {
                const bool custom = config_.bootstrap && config_.bootstrap->method;
                return custom   ? failed ? custom_bootstrap_failed : custom_bootstrap
                       : failed ? initdb_failed
                                : initializing;
            }
            break;
        case JobKind::clone:
        case JobKind::rewind:
            if (job.running) {
                return creating_replica;
            }
            break;
        case JobKind::start:
        case JobKind::crash_recovery:
            if (job.running || (failed && !local_.postmaster)) {
                return failed ? start_failed : starting;
            }
            break;
        case JobKind::stop:
            if (job.running || (failed && local_.postmaster)) {
                return failed ? stop_failed : stopping;
            }
            break;
        case JobKind::promote:
        case JobKind::none:
            break;
    }
    if (local_.postmaster) {
        return local_.accepting || job.kind == JobKind::promote ? running : starting;
    }
    return local_.crashed ? crashed : stopped;
}

// ---- what is seen

void LocalInstance::look_at_disk() {
    const bool copying = local_.job.running &&
                         (local_.job.kind == JobKind::clone || local_.job.kind == JobKind::initdb ||
                          local_.job.kind == JobKind::rewind);
    if (!copying) {
        local_.data_dir = files_.classify();
    }
    if (!local_.accepting && !local_.postmaster) {
        local_.server_version = files_.major_version();
    }
    local_.restored = files_.restored();
    local_.bootstrap_begun = files_.bootstrap_begun();
    local_.origin = files_.origin();
    local_.archive_gate = settings_ ? files_.archive_gate(*settings_) : ha::ArchiveGate{};
    if (settings_ && local_.archive_gate.open && local_.postmaster && files_.runs_held() &&
        files_.held_archive(*settings_, binary_).empty()) {
        local_.archive_gate = {
            .open = false,
            .why = "archive_library begins with the next start of PostgreSQL: `howdah restart`"};
    }
    if (settings_ && local_.postmaster && !copying) {
        // Without the file its server archives nothing, and waits in silence.
        if (const auto mended = files_.write_held_archive(*settings_); !mended) {
            local_.archive_gate = {.open = false, .why = mended.error().message};
        } else if (*mended) {
            spdlog::info("archive_command was written anew into the state directory");
        }
    }
    local_.following = following_;
    local_.unfenced = local_.postmaster && (foreign_postmaster_ != 0 || fencer_disagrees_);
    local_.rewind_possible = settings_ && settings_->use_pg_rewind &&
                             (control_.data.data_checksums || control_.data.wal_log_hints);
}

io::Task<Local> LocalInstance::observe(Nanos limit) {
    look_at_disk();
    if (local_.postmaster) {
        if (const auto asked = co_await ask_server(limit); !asked) {
            local_.no_answer = asked.error().message;
            suppose_writable();
            local_.accepting = false;
            local_.streaming_from_following = false;
            local_.replication_state.clear();
        } else {
            co_await look_at_files(limit);
        }
    } else if (!control_known_ && local_.data_dir == DataDir::initialized && !local_.job.running &&
               local_.tree_dead) {
        co_await read_down_state();
    }
    look_at_disk();
    auto seen = local_;
    seen.kept_standby_names = sync_standbys_;
    seen.state = state();
    if (seen.job.running && seen.job.kind == JobKind::promote) {
        seen.accepting = false;
    }
    co_return seen;
}

/// One that can't be asked may have been promoted by hand. The signal file proves that it was not:
/// PostgreSQL removes it at the end of recovery, before anybody can write.
void LocalInstance::suppose_writable() {
    if (local_.role == ha::Role::standby && !files_.has_standby_signal()) {
        local_.role = ha::Role::primary;
    }
}

io::Task<Result<>> LocalInstance::ensure_connection(Nanos limit) {
    if (connection_ && !connection_->broken()) {
        co_return Result<>{};
    }
    connection_.reset();
    HD_CO_TRY_VOID(may_connect());
    HD_CO_TRY(connection_, co_await Connection::open(clock_,
                                                     local_keywords("-c statement_timeout=2000 "
                                                                    "-c synchronous_commit=local "
                                                                    "-c search_path=pg_catalog"),
                                                     limit));
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::ask_server(Nanos limit) {
    const auto end = clock_.now() + limit;
    const auto turn = co_await one_query_.take();
    HD_CO_TRY_VOID(co_await ensure_connection(end - clock_.now()));
    const auto rows = co_await connection_->query(observe_sql, {}, end - clock_.now());
    if (!rows) {
        co_return std::unexpected(rows.error());
    }
    if (rows->size() != 1 || rows->front().size() != column_count) {
        co_return fail(Errc::corrupt, "unexpected answer of PostgreSQL");
    }
    if (!local_.postmaster) {
        co_return fail(Errc::unavailable, "the postmaster has ended");
    }
    std::error_code ec;
    if (const auto there = text(rows->front(), data_directory);
        there != files_.data_dir() && !std::filesystem::equivalent(there, files_.data_dir(), ec)) {
        connection_.reset();
        // Whatever runs below our fencer is ours to answer for.
        local_.role = text(rows->front(), standby) == "t" ? local_.role : ha::Role::primary;
        co_return fail(Errc::conflict,
                       "another PostgreSQL, of " + there + ", answers at our address and port",
                       "stop it, or change postgresql.listen");
    }
    take_answer(rows->front());
    co_return Result<>{};
}

void LocalInstance::take_answer(const Row& row) {
    const bool in_recovery = text(row, standby) == "t";
    const bool promoting = local_.job.running && local_.job.kind == JobKind::promote;
    // A standby has its signal until it is promoted. Without one the recovery ends by itself, and
    // the server is writable then: nobody is told before.
    const bool ends_by_itself = in_recovery && !promoting && !files_.has_standby_signal();
    auto& control = local_.control;
    local_.accepting = !ends_by_itself;
    local_.no_answer = ends_by_itself ? "it recovers from its archive" : "";
    local_.role =
        in_recovery && !promoting && !ends_by_itself ? ha::Role::standby : ha::Role::primary;
    local_.server_version = static_cast<int>(number(row, version));
    local_.postmaster_start_time = text(row, start_time);
    local_.system_id = control.system_id = text(row, system_id);
    control.timeline = number(row, control_timeline);
    control.checkpoint = lsn(row, checkpoint_lsn);
    control.redo = lsn(row, redo_lsn);
    control.min_recovery = lsn(row, min_recovery);
    control.min_recovery_timeline = number(row, min_recovery_timeline);

    const auto status = text(row, receiver);
    local_.received = lsn(row, received);
    local_.replayed = lsn(row, replayed);
    local_.sync_standby_names = text(row, sync_standbys);
    local_.replayed_at = text(row, replayed_at);
    local_.replay_paused = text(row, paused) == "t";
    if (in_recovery) {
        local_.lsn = std::max(local_.received, local_.replayed);
        local_.timeline = std::max({local_.timeline, number(row, receiver_timeline),
                                    control.timeline, control.min_recovery_timeline});
        local_.checkpointed_since_promote = true;
    } else {
        local_.lsn = lsn(row, flushed);
        local_.timeline = static_cast<pg::Timeline>(
            std::strtoul(text(row, wal_file).substr(0, 8).c_str(), nullptr, 16));
        local_.checkpointed_since_promote = control.timeline == local_.timeline;
        local_.needs_rewind = false;
    }
    local_.in_recovery = in_recovery;
    // A segment that was recycled meanwhile tells no more than was known of it.
    const auto until = std::atoll(text(row, archived_until).c_str());
    local_.recoverable_until =
        in_recovery ? 0 : std::max<std::int64_t>(local_.recoverable_until, until);
    const bool streams = in_recovery && status == "streaming";
    const bool from_archive =
        in_recovery && settings_ && settings_->recovery.contains("restore_command");
    local_.replication_state = streams ? "streaming" : from_archive ? "in archive recovery" : "";
    local_.streaming_from_following = streams && following_ &&
                                      text(row, sender_host) == following_->host &&
                                      number(row, sender_port) == following_->port;
    take_receiver(static_cast<pid_t>(number(row, receiver_pid)),
                  static_cast<std::uint16_t>(number(row, sender_port)));
    if (local_.streaming_from_following) {
        rewound_to_.reset();
    }
    local_.pending_restart_json = text(row, pending_restart);
    take_walsenders(text(row, walsenders));
    note_position();
}

/// A walreceiver has one connection as long as it lives.
void LocalInstance::take_receiver(pid_t pid, std::uint16_t sender_port) {
    if (pid != receiver_pid_ || local_.receiver_port == 0) {
        receiver_pid_ = pid;
        local_.receiver_port = pid == 0 ? 0 : local_port_of(pid, sender_port);
    }
}

void LocalInstance::take_walsenders(const std::string& json) {
    local_.walsenders.clear();
    const auto rows = nlohmann::json::parse(json, nullptr, false);
    if (!rows.is_array()) {
        return;
    }
    for (const auto& row : rows) {
        const auto position = [&](const char* key) {
            return pg::Lsn::parse(json_text(row, key)).value_or(pg::Lsn{});
        };
        local_.walsenders.push_back(
            {.application_name = json_text(row, "application_name"),
             .client_addr = json_text(row, "client_addr"),
             .state = json_text(row, "state"),
             .sync_state = json_text(row, "sync_state"),
             .usename = json_text(row, "usename"),
             .sync_priority = row.value("sync_priority", 0),
             .write = position("write"),
             .flush = position("flush"),
             .replay = position("replay"),
             .silent = Millis(json_number(row, "silent_ms")),
             .pid = static_cast<int>(json_number(row, "pid")),
             .client_port = static_cast<std::uint64_t>(
                 std::max<std::int64_t>(json_number(row, "client_port"), 0)),
             .slot = json_text(row, "slot")});
    }
}

void LocalInstance::note_position() {
    const auto& here = local_.role == ha::Role::primary ? local_.lsn : local_.received;
    if (here > mark_) {
        older_mark_ = mark_;
        mark_ = here;
    }
}

// ---- settings

Result<> LocalInstance::must_run(const char* what) const {
    if (!local_.postmaster) {
        return fail(Errc::unavailable, std::string(what) + ": PostgreSQL does not run");
    }
    return {};
}

io::Task<Result<>> LocalInstance::reload() {
    if (!settings_ || files_.classify() != DataDir::initialized) {
        co_return Result<>{};
    }
    const Following following{.upstream = following_,
                              .member = config_.name,
                              .pgpass = config_.postgresql.pgpass,
                              .replication = config_.postgresql.replication};
    // Files that were written by an attempt that then failed differ no more, but nobody has read
    // them.
    const auto owed = std::exchange(reload_owed_, true);
    HD_CO_TRY(const bool differs,
              files_.write_configuration(*settings_, following, sync_standbys_));
    if ((differs || owed) && local_.postmaster) {
        HD_CO_TRY_VOID(co_await signal_postmaster("HUP"));
        files_seen_.clear();
    }
    reload_owed_ = false;
    co_return Result<>{};
}

/// After a reload, and when a file has changed since it was looked at.
io::Task<> LocalInstance::look_at_files(Nanos limit) {
    const auto now = clock_.now();
    if (!local_.accepting || now < look_at_files_after_ ||
        (!files_seen_.empty() && fingerprint(files_read_) == files_seen_)) {
        co_return;
    }
    look_at_files_after_ = now + files_every;
    const auto turn = co_await one_query_.take();
    if (!co_await ensure_connection(limit)) {
        co_return;  // whoever asks next says so
    }
    // Before they are read: what changes meanwhile is looked at again.
    const auto before = fingerprint(files_read_);
    const auto found = co_await ask_file_errors(*connection_, limit);
    if (!found &&
        (found.error().code != Errc::invalid || found.error().sqlstate.starts_with("57"))) {
        co_return;  // PostgreSQL has said nothing of them (57: it was interrupted)
    }
    const auto text = found ? found->text : found.error().message;
    const bool same_files = !found || found->files == files_read_;
    if (found) {
        files_read_ = found->files;
    }
    files_seen_ = same_files ? before : fingerprint(files_read_);
    if (text == local_.file_errors) {
        co_return;
    }
    if (text.empty()) {
        spdlog::info("nothing is wrong any more in the configuration files of PostgreSQL");
    } else {
        spdlog::error("wrong in the configuration files of PostgreSQL: {}", text);
    }
    local_.file_errors = text;
}

io::Task<Result<>> LocalInstance::configure(config::EffectivePostgresql settings) {
    given_settings_ = std::move(settings);
    ++given_count_;
    co_await leave_out_refused_settings();
    const bool rewriting = local_.job.running && (local_.job.kind == JobKind::clone ||
                                                  local_.job.kind == JobKind::initdb ||
                                                  local_.job.kind == JobKind::rewind);
    if (local_.postmaster && !rewriting) {
        // Files that it includes may have changed even where ours have not.
        HD_CO_TRY_VOID(co_await reload());
        HD_CO_TRY_VOID(co_await signal_postmaster("HUP"));
        files_seen_.clear();
        if (local_.accepting) {
            co_await keep_started_settings(false);
        }
        co_return Result<>{};
    }
    co_return Result<>{};
}

void LocalInstance::take_logins(const config::Postgresql& from) {
    config_.postgresql.superuser = from.superuser;
    config_.postgresql.replication = from.replication;
    config_.postgresql.rewind = from.rewind;
}

io::Task<Result<std::vector<RefusedSetting>>> LocalInstance::refused_settings(
    config::EffectivePostgresql settings) {
    HD_CO_TRY(const auto programs, tools());
    auto all = std::move(settings.parameters);
    all.insert(settings.recovery.begin(), settings.recovery.end());
    const auto turn = co_await one_trial_.take();
    co_return co_await refused_by_postgres(clock_, programs.bin_dir(),
                                           files_.state_dir() + "/settings-trial", std::move(all));
}

/// Before each start too: another minor version, or one extension less, refuses other ones.
io::Task<> LocalInstance::leave_out_refused_settings() {
    const auto programs = tools();
    auto settings = given_settings_;
    if (!settings || !programs) {
        settings_ = std::move(settings);
        co_return;
    }
    if (bad_settings_ && bad_settings_->given !=
                             StartedSettings::of(*settings, bad_settings_->good.need_a_restart)) {
        bad_settings_.reset();
    }
    const auto key = trial_key(programs->bin_dir() + "/postgres", *settings);
    if (key != settings_tried_) {
        const auto given = given_count_;
        auto refused = co_await refused_settings(*settings);
        if (given != given_count_) {
            co_return;  // whoever gave others meanwhile settles those
        }
        if (!refused) {
            spdlog::warn("settings were not tried before they are used why=\"{}\"",
                         refused.error().message);
            settings_ = std::move(settings);
            co_return;
        }
        settings_tried_ = key;
        refused_settings_ = *std::move(refused);
    }
    std::string told;
    for (const auto& [name, value, why] : refused_settings_) {
        settings->parameters.erase(name);
        settings->recovery.erase(name);
        // A controlled parameter is the same on every member: the default is.
        if (const auto it = settings->controlled.find(name); it != settings->controlled.end()) {
            it->second = config::default_of("postgresql.parameters." + name).value_or(it->second);
        }
        told += fmt::format("{}{} = {} ({})", told.empty() ? "" : "; ", name, value, why);
    }
    if (bad_settings_) {
        bad_settings_->good.put_into(*settings);
        told += (told.empty() ? "" : "; ") + bad_settings_->why;
    }
    if (told != local_.settings_refused && !told.empty()) {
        spdlog::error("settings that PostgreSQL would not start with are left out: {}", told);
    }
    settings_ = std::move(settings);
    local_.settings_refused = told;
}

io::Task<Result<>> LocalInstance::follow(std::optional<Upstream> from) {
    const auto before = std::exchange(following_, std::move(from));
    local_.following = following_;
    local_.streaming_from_following = false;
    if (local_.job.running && local_.job.kind == JobKind::rewind) {
        co_return Result<>{};
    }
    if (files_.has_standby_signal()) {
        HD_CO_TRY_VOID(files_.remember_archiving(false));
    }
    auto written = co_await reload();
    if (!written) {
        // As on a full disk: it goes on following whom it followed, and says so.
        following_ = before;
        local_.following = following_;
    }
    co_return written;
}

io::Task<Result<std::string>> LocalInstance::timeline_history(pg::Timeline timeline) {
    co_return files_.timeline_history(timeline);
}

}  // namespace howdah::instance
