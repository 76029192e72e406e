#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <sstream>

#include "fencer/page.h"
#include "instance/local/local_instance.h"
#include "instance/local/offered_wal.h"
#include "instance/local/pg_process.h"
#include "instance/local/started_settings.h"
#include "instance/local/taken_timelines.h"
#include "io/fd.h"
#include "io/files.h"
#include "io/readiness.h"

// Start, stop, fence, promote and death of the server. Whether the tree is dead (F1) is the
// fencer's word; without a fencer: no process of PostgreSQL's works in the data directory.

namespace howdah::instance {
namespace {

constexpr Nanos poll_start = Millis(15);
constexpr Nanos poll_start_slowly = Millis(500);
constexpr Nanos poll_promote = Millis(5);
constexpr Nanos poll_death = Millis(2);
constexpr Nanos poll_shutdown = Millis(250);
constexpr Nanos death_limit = Seconds(5);
constexpr Nanos watch_every = Millis(200);
constexpr Nanos ask_fencer_every = Seconds(2);
/// A fencer has nothing to do but to answer; one that takes longer is passed by.
constexpr Nanos fencer_patience = Millis(250);
constexpr Nanos query_limit = Seconds(2);
constexpr Nanos promote_limit = Seconds(60);
constexpr Nanos checkpoint_limit = Seconds(3600);
constexpr off_t log_limit_bytes = 10 << 20;

/// Size of the log; one that has grown is set aside first, so that two such files are the most
/// there are.
std::uint64_t rotate_log(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) {
        return 0;
    }
    if (info.st_size > log_limit_bytes) {
        (void)std::rename(path.c_str(), (path + ".1").c_str());
        return 0;
    }
    return static_cast<std::uint64_t>(info.st_size);
}

bool was_shut_down(const pg::ControlData& control) {
    return control.state == "shut down" || control.state == "shut down in recovery";
}

/// What no waiting mends. A server that is starting up (57P03) refuses in another way.
bool refuses_our_login(const Error& error) {
    constexpr std::array codes{pgclient::sqlstate::invalid_password,
                               pgclient::sqlstate::invalid_authorization,
                               pgclient::sqlstate::no_such_database};
    return std::ranges::find(codes, error.sqlstate) != codes.end();
}

/// The fencer would kill at the instant that the page shows here; it can't when it has mapped
/// another file.
bool armed_by_page(const fencer::Status& fencer, const std::string& path) {
    const auto page = fencer::DeadlinePage::open(path);
    return page && page->read() == fencer.deadline;
}

}  // namespace

io::Task<Result<>> LocalInstance::adopt() {
    HD_CO_TRY_VOID(io::make_directories(files_.state_dir()));
    if (files_.unfinished() && processes_in(files_.data_dir()).empty()) {
        spdlog::warn("an unfinished copy is removed data_dir={}", files_.data_dir());
        HD_CO_TRY_VOID(co_await empty_data_dir());
    }
    if (files_.classify() == DataDir::empty) {
        HD_CO_TRY_VOID(files_.clear_command());
    }
    look_at_disk();
    if (!std::exchange(watches_disk_, true)) {
        scope_.spawn([this] { return watch_disk(); });
    }
    if (local_.data_dir != DataDir::initialized) {
        co_return Result<>{};
    }
    HD_CO_TRY_VOID(check_ownership(files_.data_dir()));
    const auto connected = co_await connect_fencer();
    if (!connected) {
        foreign_postmaster_ = living_postmaster(files_.data_dir());
        if (foreign_postmaster_ == 0 && processes_in(files_.data_dir()).empty()) {
            co_await read_down_state();
            local_.crashed = !was_shut_down(control_.data);
            co_return Result<>{};
        }
        local_.postmaster = foreign_postmaster_ != 0;
        local_.tree_dead = false;
        spdlog::warn("adopted a PostgreSQL that runs without a fencer pid={}", foreign_postmaster_);
        if (local_.postmaster) {
            begin_probing();
            scope_.spawn([this] { return watch_foreign(foreign_postmaster_); });
        }
    }
    fencer_disagrees_ = connected && !armed_by_page(*fencer_status_, deadline_page());
    if (fencer_disagrees_) {
        spdlog::warn("its fencer is armed for another instant than {} shows", deadline_page());
    }
    // Until it answers, the careful guess.
    local_.role = files_.has_standby_signal() ? ha::Role::standby : ha::Role::primary;
    (void)co_await ask_server(query_limit);
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::connect_fencer() {
    auto client = std::make_shared<fencer::FencerClient>(executor_, clock_, files_.state_dir());
    auto status = co_await client->connect();
    if (!status) {
        co_await client->close();
        co_return std::unexpected(std::move(status).error());
    }
    client->on_end([this] { server_ended(); });
    fencer_ = std::move(client);
    fencer_status_ = *status;
    local_.postmaster = true;
    local_.tree_dead = false;
    local_.crashed = false;
    if (!fencer_->connected()) {
        server_ended();  // it died between the answer and on_end
    } else {
        begin_probing();
        scope_.spawn([this] { return watch_streaming(fencer_); });
        scope_.spawn([this] { return watch_fencer(fencer_); });
    }
    co_return Result<>{};
}

/// One that is stopped or starved would not kill at the deadline, and nobody else would see it.
io::Task<> LocalInstance::watch_fencer(std::shared_ptr<fencer::FencerClient> fencer) {
    while (co_await clock_.until(clock_.now() + ask_fencer_every) && fencer_ == fencer) {
        const auto answer = co_await fencer->status();
        if (fencer_ != fencer) {
            co_return;
        }
        const auto stuck = !answer && answer.error().code == Errc::timeout;
        const auto* trouble = stuck ? "it does not answer" : "";
        if (local_.fencer_trouble != trouble) {
            local_.fencer_trouble = trouble;
            if (stuck) {
                spdlog::error(
                    "the fencer lives but does not answer: nothing ends PostgreSQL at its "
                    "deadline");
            }
            changed();
        }
    }
}

// ---- start

Result<> LocalInstance::start(StartAs as, std::optional<Upstream> follow) {
    if (local_.postmaster || !local_.tree_dead) {
        return fail(Errc::conflict, "start: PostgreSQL runs already");
    }
    if (files_.classify() != DataDir::initialized) {
        return fail(Errc::invalid, "start: no PostgreSQL cluster in " + files_.data_dir());
    }
    if (!settings_) {
        return fail(Errc::invalid, "start: not configured yet");
    }
    if ((as == StartAs::restored) != (as != StartAs::standby && files_.restored())) {
        return fail(Errc::invalid,
                    "start: what was restored has to be recovered, and nothing else");
    }
    HD_TRY_VOID(must_be_idle("start"));
    following_ = as == StartAs::standby ? std::move(follow) : std::nullopt;
    local_.role = as == StartAs::standby ? ha::Role::standby : ha::Role::primary;
    local_.following = following_;
    start_revoked_ = false;
    asked_to_stop_ = false;
    return begin(JobKind::start, [this, as] { return do_start(as); });
}

io::Task<Result<>> LocalInstance::do_start(StartAs as) {
    HD_CO_TRY_VOID(check_ownership(files_.data_dir()));
    auto started = co_await start_once(as);
    if (!started && fall_back_to_started_settings(started.error())) {
        started = co_await start_once(as);
        if (!started) {
            bad_settings_.reset();  // they were not the reason
            settings_tried_.clear();
            local_.settings_refused.clear();
        }
    }
    if (started && local_.accepting) {
        co_await keep_started_settings(true);
    }
    co_return started;
}

/// After a start all of them; after a reload the rules of pg_hba.conf, where PostgreSQL finds no
/// fault with them.
io::Task<> LocalInstance::keep_started_settings(bool started) {
    const auto rows = co_await query_once(
        local_keywords(""),
        "SELECT (SELECT string_agg(name, ' ') FROM pg_settings WHERE context = 'postmaster'), "
        "(SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL)",
        query_limit);
    if (!rows || rows->empty() || !settings_) {
        co_return;
    }
    const auto& row = rows->front();
    std::istringstream words(row[0].value_or(""));
    auto settings =
        StartedSettings::of(*settings_, {std::istream_iterator<std::string>(words), {}});
    if (!started) {
        auto known = recall_started(files_.state_dir());
        if (!known || row[1] != "0") {
            co_return;
        }
        known->pg_hba = settings.pg_hba;
        known->pg_ident = settings.pg_ident;
        settings = *std::move(known);
    }
    if (auto kept = remember(files_.state_dir(), settings); !kept) {
        spdlog::warn("the settings that PostgreSQL started with are not kept why=\"{}\"",
                     kept.error().message);
    }
}

/// It ended itself while it was starting (nobody killed it), and settings that only a start proves
/// are others than at its last start: true, and they are put back.
bool LocalInstance::fall_back_to_started_settings(const Error& why) {
    // The last line is the fencer's, which reaped it (fencer/guard.cpp).
    const bool gave_up = why.message.find("is dead: exit 1 exited") != std::string::npos;
    const bool ended = !local_.postmaster && local_.tree_dead && why.code == Errc::io && gave_up;
    const auto good = recall_started(files_.state_dir());
    if (!ended || start_revoked_ || asked_to_stop_ || !settings_ || !good) {
        return false;
    }
    const auto now = StartedSettings::of(*settings_, good->need_a_restart);
    const auto names = good->differences(now);
    if (names.empty()) {
        return false;
    }
    bad_settings_ =
        BadSettings{.given = StartedSettings::of(*given_settings_, good->need_a_restart),
                    .good = *good,
                    .why = fmt::format("{} (PostgreSQL did not start with what was "
                                       "changed since its last start: {})",
                                       names, why.message)};
    spdlog::error("settings that PostgreSQL would not start with are left out: {}",
                  bad_settings_->why);
    settings_tried_.clear();
    return true;
}

io::Task<Result<>> LocalInstance::start_once(StartAs as) {
    const auto log_from = rotate_log(files_.log());
    launching_ = true;
    auto launched = co_await launch_postmaster(as);
    launching_ = false;
    HD_CO_TRY_VOID(std::move(launched));
    co_return co_await wait_until_accepting(as, log_from);
}

io::Task<Result<>> LocalInstance::launch_postmaster(StartAs as) {
    HD_CO_TRY(const auto programs, tools());
    HD_CO_TRY(control_, co_await programs.control());
    if (!processes_in(files_.data_dir()).empty() || !fencer::no_fencer_lives(files_.state_dir())) {
        co_return fail(Errc::conflict,
                       "start: a PostgreSQL that was not noticed runs in " + files_.data_dir(),
                       "restart the agent, so that it is adopted");
    }
    const auto reaped_by = clock_.now() + death_limit;
    while (postmaster_is_unreaped(files_.data_dir()) && clock_.now() < reaped_by) {
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + poll_start));
    }
    const Following following{.upstream = following_,
                              .member = config_.name,
                              .pgpass = config_.postgresql.pgpass,
                              .replication = config_.postgresql.replication};
    // Before the configuration, which says how it recovers.
    if (as == StartAs::standby) {
        HD_CO_TRY_VOID(files_.place_standby_signal());
    } else if (as == StartAs::primary) {
        HD_CO_TRY_VOID(files_.remove_recovery_signals());
    } else if (!files_.restored()) {
        co_return fail(Errc::invalid, "start: no recovery.signal in " + files_.data_dir());
    }
    co_await leave_out_refused_settings();
    HD_CO_TRY_VOID(files_.remember_archiving(as != StartAs::standby));
    HD_CO_TRY_VOID(files_.write_configuration(*settings_, following, sync_standbys_));
    auto settings = *settings_;
    for (const auto& [name, value] : files_.held_archive(settings, binary_)) {
        settings.controlled[name] = value;
    }
    const std::map<std::string, std::string> none;
    fencer::Launch how{
        .howdah_binary = binary_,
        .state_dir = files_.state_dir(),
        .deadline_page = deadline_page(),
        .log = files_.log(),
        .command = postmaster_argv(programs.bin_dir(), files_.data_dir(), files_.config_file(),
                                   settings, as == StartAs::primary ? none : control_.settings),
        .environment = postmaster_environment()};
    if (start_revoked_) {
        co_return fail(Errc::cancelled, "start: fenced meanwhile");
    }
    control_known_ = false;
    local_.final_lsn = {};
    mark_ = older_mark_ = {};
    HD_CO_TRY_VOID(co_await fencer::launch(clock_, std::move(how)));
    if (auto connected = co_await connect_fencer(); !connected) {
        // It may be ending already: then its last words say how. What can't be reached must not
        // run.
        local_.tree_dead = false;
        HD_CO_TRY_VOID(co_await kill_without_fencer(death_limit));
        local_.tree_dead = true;
    }
    changed();
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::wait_until_accepting(StartAs as, std::uint64_t log_from) {
    const auto begun = clock_.now();
    const auto patience_ends = begun + settings_->pg_ctl_timeout;
    while (local_.postmaster) {
        const auto asked = co_await ask_server(query_limit);
        if (asked && local_.accepting) {
            co_return Result<>{};
        }
        if (!asked && refuses_our_login(asked.error())) {
            co_return fail(Errc::invalid,
                           "PostgreSQL runs but refuses the agent: " + asked.error().message,
                           "correct postgresql.authentication.superuser or pg_hba");
        }
        // A standby may wait for WAL that only its next primary has.
        if (as == StartAs::standby && clock_.now() > patience_ends) {
            co_return Result<>{};
        }
        // The longer it takes the less a moment counts; each question is a line in PostgreSQL's
        // log.
        const auto pause = std::clamp((clock_.now() - begun) / 20, poll_start, poll_start_slowly);
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + pause));
    }
    (void)co_await wait_dead(death_limit);
    co_return std::unexpected(start_failure(log_from));
}

Error LocalInstance::start_failure(std::uint64_t log_from) const {
    const auto words = log_tail(files_.log(), log_from, 6);
    return {Errc::io, "PostgreSQL ended while it was starting: " + words, hint_for(words)};
}

// ---- stop, promote

io::Task<Result<>> LocalInstance::signal_postmaster(std::string name) {
    auto postmaster = foreign_postmaster_;
    if (const auto fencer = fencer_) {
        auto sent = co_await fencer->signal(name);
        if (sent || sent.error().code != Errc::timeout) {
            co_return sent;
        }
        postmaster = living_postmaster(files_.data_dir());
    }
    const int signal = name == "INT"    ? SIGINT
                       : name == "QUIT" ? SIGQUIT
                       : name == "HUP"  ? SIGHUP
                                        : SIGUSR1;
    if (postmaster == 0 || ::kill(postmaster, signal) != 0) {
        co_return fail(Errc::unavailable, "the postmaster has ended");
    }
    co_return Result<>{};
}

Result<> LocalInstance::stop(StopMode mode) {
    HD_TRY_VOID(must_run("stop"));
    HD_TRY_VOID(must_be_idle("stop"));
    asked_to_stop_ = true;
    return begin(JobKind::stop, [this, mode] { return do_stop(mode); });
}

io::Task<Result<>> LocalInstance::do_stop(StopMode mode) {
    const auto sent = co_await signal_postmaster(mode == StopMode::fast ? "INT" : "QUIT");
    if (!sent && local_.postmaster) {
        co_return sent;
    }
    const Nanos limit = settings_ ? settings_->pg_ctl_timeout : Seconds(60);
    const auto end = clock_.now() + limit;
    while (!co_await wait_dead(poll_shutdown) && clock_.now() < end) {
        co_await look_for_shutdown();
        // A fencer that does not answer does not reap either, nor tell.
        if (!local_.fencer_trouble.empty() && processes_in(files_.data_dir()).empty()) {
            HD_CO_TRY_VOID(co_await kill_without_fencer(death_limit));
        }
    }
    if (!local_.tree_dead) {
        co_return fail(Errc::timeout,
                       fmt::format("PostgreSQL has not stopped within {} s",
                                   std::chrono::duration_cast<Seconds>(limit).count()));
    }
    co_return Result<>{};
}

/// pg_control says "shut down" while archiver, walsenders and receivers are still waited for.
io::Task<> LocalInstance::look_for_shutdown() {
    if (!local_.shut_down_seen.never() || !local_.postmaster) {
        co_return;
    }
    const auto programs = tools();
    if (!programs) {
        co_return;
    }
    const auto control = co_await programs->control();
    if (control && was_shut_down(control->data) && local_.postmaster) {
        local_.control = control->data;
        local_.shut_down_seen = clock_.now();
        changed();
    }
}

Result<> LocalInstance::promote(pg::Timeline timeline) {
    HD_TRY_VOID(must_run("promote"));
    if (local_.role != ha::Role::standby) {
        return fail(Errc::invalid, "promote: it is no standby");
    }
    if (!fencer_ || fencer_disagrees_) {
        return fail(Errc::unsafe, "promote: PostgreSQL runs without a fencer",
                    "stop it, so that the agent starts it with one");
    }
    HD_TRY_VOID(must_be_idle("promote"));
    local_.role = ha::Role::primary;
    local_.accepting = false;
    return begin(JobKind::promote, [this, timeline] { return do_promote(timeline); });
}

io::Task<Result<>> LocalInstance::do_promote(pg::Timeline timeline) {
    HD_CO_TRY_VOID(take_timelines_below(files_.data_dir(), timeline));
    HD_CO_TRY_VOID(co_await begin_archiving());
    {
        const auto turn = co_await one_query_.take();
        HD_CO_TRY_VOID(co_await ensure_connection(query_limit));
        HD_CO_TRY_VOID(co_await connection_->query("SELECT pg_promote(false)", {}, query_limit));
    }
    const auto end = clock_.now() + promote_limit;
    while (local_.postmaster && clock_.now() < end) {
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + poll_promote));
        if (!local_.postmaster) {
            break;
        }
        const auto turn = co_await one_query_.take();
        HD_CO_TRY_VOID(co_await ensure_connection(query_limit));
        const auto row = co_await connection_->query("SELECT pg_is_in_recovery()", {}, query_limit);
        if (row && row->front().front() == "f") {
            following_.reset();
            local_.checkpointed_since_promote = false;
            scope_.spawn([this, timeline] { return finish_promotion(timeline); });
            co_return Result<>{};
        }
    }
    co_return fail(Errc::timeout, local_.postmaster ? "PostgreSQL did not promote in time"
                                                    : "PostgreSQL ended while it was promoted");
}

/// Before the promotion, so that the archiver, which starts with it, finds its command. What the
/// lost primary left unarchived is the new one's to push (I9): only archive-push, ours and
/// pgBackRest's, takes no offence at what is there already.
io::Task<Result<>> LocalInstance::begin_archiving() {
    HD_CO_TRY_VOID(files_.remember_archiving(true));
    HD_CO_TRY_VOID(co_await reload());
    if (files_.configured(*settings_, "archive_command").contains("archive-push")) {
        HD_CO_TRY(const auto count, offer_wal_again(files_.data_dir()));
        spdlog::info("WAL that the last primary may not have archived is offered files={}", count);
    }
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::offer_last_segment(pg::Timeline timeline) {
    if (!files_.configured(*settings_, "archive_command").contains("archive-push")) {
        co_return Result<>{};
    }
    HD_CO_TRY(const auto programs, tools());
    HD_CO_TRY(const auto control, co_await programs.control());
    HD_CO_TRY(const auto text, files_.timeline_history(timeline));
    HD_CO_TRY(const auto history, pg::parse_history(text));
    HD_CO_TRY(const auto count,
              offer_unmarked_wal(files_.data_dir(), history, control.wal_segment_bytes));
    if (count > 0) {
        spdlog::info("the last WAL before the promotion is offered to the archive files={}", count);
    }
    co_return Result<>{};
}

io::Task<> LocalInstance::finish_promotion(pg::Timeline timeline) {
    (void)co_await reload();
    if (const auto done = co_await offer_last_segment(timeline); !done) {
        spdlog::warn("the last WAL before the promotion may be missing in the archive why=\"{}\"",
                     done.error().message);
    }
    if (const auto done = co_await checkpoint(checkpoint_limit); !done) {
        spdlog::warn("checkpoint after the promotion failed why=\"{}\"", done.error().message);
    }
    changed();
}

// ---- fence and death

io::Task<Result<>> LocalInstance::fence(Nanos limit) {
    const auto end = clock_.now() + limit;
    start_revoked_ = true;
    asked_to_stop_ = true;
    while (launching_ && clock_.now() < end) {
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + poll_death));
    }
    if (const auto fencer = fencer_) {
        HD_CO_TRY_VOID(co_await kill_with_fencer(fencer, end - clock_.now()));
    } else if (!local_.tree_dead) {
        HD_CO_TRY_VOID(co_await kill_without_fencer(end - clock_.now()));
        if (local_.postmaster) {
            server_ended();
        } else if (!settling_) {
            begin_settling();
        }
    }
    if (!co_await wait_dead(end - clock_.now())) {
        co_return fail(Errc::timeout, "the process tree is not proven dead yet");
    }
    co_return Result<>{};
}

/// F4: a fencer that lives but does not answer is passed by, and ends with its tree.
io::Task<Result<>> LocalInstance::kill_with_fencer(std::shared_ptr<fencer::FencerClient> fencer,
                                                   Nanos limit) {
    const auto end = clock_.now() + limit;
    const auto answer = co_await fencer->status(fencer_patience);
    if (!answer && answer.error().code == Errc::timeout) {
        spdlog::error("the fencer does not answer: killing PostgreSQL without it");
        co_return co_await kill_without_fencer(end - clock_.now());
    }
    const auto killed = co_await fencer->kill(end - clock_.now());
    if (!killed && killed.error().code == Errc::timeout) {
        co_return killed;
    }
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::kill_without_fencer(Nanos limit) {
    const auto end = clock_.now() + limit;
    while (true) {
        const auto postmaster = living_postmaster(files_.data_dir());
        if (postmaster != 0) {
            ::kill(postmaster, SIGSTOP);  // it forks nobody any more
        }
        const auto all = processes_in(files_.data_dir());
        if (all.empty() && fencer::no_fencer_lives(files_.state_dir())) {
            co_return Result<>{};
        }
        for (const auto pid : all) {
            if (pid != postmaster) {
                ::kill(pid, SIGKILL);
            }
        }
        if (postmaster != 0) {
            ::kill(postmaster, SIGKILL);
        }
        for (const auto pid : fencers_of(files_.state_dir())) {
            ::kill(pid, SIGKILL);
        }
        if (clock_.now() > end) {
            co_return fail(Errc::timeout,
                           fmt::format("process {} does not die", all.empty() ? 0 : all.front()));
        }
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + poll_death));
    }
}

io::Task<bool> LocalInstance::wait_dead(Nanos limit) {
    const auto end = clock_.now() + limit;
    while (!local_.tree_dead && clock_.now() < end) {
        if (!co_await clock_.until(clock_.now() + poll_death)) {
            break;
        }
    }
    co_return local_.tree_dead;
}

void LocalInstance::server_ended() {
    if (!local_.postmaster) {
        return;
    }
    local_.postmaster = false;
    local_.accepting = false;
    local_.streaming_from_following = false;
    local_.replication_state.clear();
    local_.walsenders.clear();
    local_.pending_restart_json.clear();
    local_.sync_standby_names.clear();
    local_.shut_down_seen = {};
    local_.receiver_port = 0;
    local_.answered = {};
    probing_since_ = {};
    local_.crashed = !asked_to_stop_;
    fencer_disagrees_ = false;
    local_.fencer_trouble.clear();
    local_.file_errors.clear();
    files_seen_.clear();
    local_.no_answer.clear();
    begin_settling();
}

void LocalInstance::begin_settling() {
    settling_ = true;
    scope_.spawn([this] { return settle(); });
}

/// Between the end of the postmaster and the proof that all of it is over, with the end of its WAL.
io::Task<> LocalInstance::settle() {
    co_await io::yield();  // the fencer's client, which may have called, ends its turn first
    const auto fencer = std::exchange(fencer_, nullptr);
    foreign_postmaster_ = 0;
    const bool proven = fencer && fencer->exited().has_value();
    if (fencer) {
        co_await fencer->close();
    }
    if (!proven) {
        // F4: the fencer died, or there was none.
        if (const auto killed = co_await kill_without_fencer(Seconds(60)); !killed) {
            spdlog::error("processes of PostgreSQL are left why=\"{}\"", killed.error().message);
            settling_ = false;
            co_return;
        }
    }
    {
        const auto turn =
            co_await one_query_.take();  // a query may still wait for the dead server's answer
        connection_.reset();
    }
    co_await read_down_state();
    settling_ = false;
    local_.tree_dead = true;
    changed();
}

/// pg_control, and where the WAL ends.
io::Task<> LocalInstance::read_down_state() {
    auto programs = tools();
    if (!programs) {
        spdlog::error("can't read pg_control why=\"{}\"", programs.error().message);
        co_return;
    }
    auto control = co_await programs->control();
    if (!control) {
        spdlog::error("can't read pg_control why=\"{}\"", control.error().message);
        co_return;
    }
    control_ = *std::move(control);
    control_known_ = true;
    local_.control = control_.data;
    local_.system_id = control_.data.system_id;
    if (local_.role == ha::Role::none) {
        local_.timeline = std::max(control_.data.timeline, control_.data.min_recovery_timeline);
    }
    std::vector<pg::Lsn> starts{mark_, older_mark_, control_.data.redo};
    auto timeline = control_.data.timeline;
    if (control_.data.state == "shut down") {
        starts = {control_.data.checkpoint};
    } else {
        // After a promotion pg_control shows the old timeline until the next checkpoint.
        const auto newest = files_.newest_wal(control_.wal_segment_bytes);
        // And a standby that has just connected is told of a timeline that it has no WAL of yet.
        timeline = std::max({timeline, control_.data.min_recovery_timeline,
                             std::min(local_.timeline, newest.timeline)});
        if (newest.timeline > control_.data.timeline) {
            timeline = newest.timeline;
            starts = {mark_, older_mark_, newest.first};
        }
    }
    const auto end = co_await programs->end_of_wal(control_, timeline, std::move(starts));
    local_.timeline = timeline;
    local_.final_lsn = end.value_or(pg::Lsn{});
    if (!end && !files_.restored()) {
        spdlog::warn("the end of the WAL was not found why=\"{}\"", end.error().message);
    }
    local_.lsn = std::max(local_.final_lsn, local_.lsn);
}

io::Task<> LocalInstance::watch_foreign(pid_t pid) {
    const io::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd) {
        (void)co_await io::wait_readable(pidfd.get());
    }
    if (foreign_postmaster_ == pid) {
        server_ended();
    }
}

/// A standby that loses its primary hears it from its walreceiver long before anyone's lease ends.
io::Task<> LocalInstance::watch_streaming(std::shared_ptr<fencer::FencerClient> fencer) {
    while (fencer_ == fencer) {
        if (!co_await clock_.until(clock_.now() + watch_every)) {
            co_return;
        }
        if (local_.role != ha::Role::standby || !local_.accepting) {
            continue;
        }
        const bool streamed = local_.streaming_from_following;
        const auto port = local_.receiver_port;
        (void)co_await ask_server(query_limit);
        if (local_.streaming_from_following != streamed || local_.receiver_port != port) {
            changed();
        }
    }
}

}  // namespace howdah::instance
