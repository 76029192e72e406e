#include "instance/fake/fake_instance.h"

#include <fmt/format.h>

#include <algorithm>

namespace howdah::instance {
namespace {

constexpr Nanos stop_at_most = Seconds(5);

io::Task<Result<>> done(Result<> result = {}) {
    co_return result;
}

}  // namespace

FakeInstance::FakeInstance(io::Clock& clock, FakeServers& servers, std::string name,
                           std::string host, std::uint16_t port)
    : clock_(clock), servers_(servers), name_(std::move(name)) {
    servers_.listen(host, port, *this);
}

FakeInstance::FakeInstance(io::HostClock& clock, FakeServers& servers, std::string name,
                           std::string host, std::uint16_t port)
    : FakeInstance(static_cast<io::Clock&>(clock), servers, std::move(name), std::move(host),
                   port) {
    host_clock_ = &clock;
}

FakeInstance::~FakeInstance() {
    *alive_ = false;
}

void FakeInstance::later(Nanos delay, Callback then) {
    auto guarded = [alive = alive_, then = std::move(then)]() mutable {
        if (*alive) {
            then();
        }
    };
    if (host_clock_ != nullptr) {
        host_clock_->at(clock_.now() + delay, std::move(guarded));
    } else {
        due_.emplace(clock_.now() + delay, std::move(guarded));
    }
}

void FakeInstance::arrive(const FakeInstance& /*from*/, Nanos delay, Callback then) {
    later(delay, std::move(then));
}

void FakeInstance::step() {
    while (!due_.empty() && due_.begin()->first <= clock_.now()) {
        const auto one = due_.extract(due_.begin());
        one.mapped()();
    }
}

void FakeInstance::changed() const {
    if (wake_) {
        wake_();
    }
}

void FakeInstance::set_writable(bool before) const {
    if (before != writable() && on_writable) {
        on_writable();
    }
}

const FakeInstance* FakeInstance::reach(const Upstream& upstream) const {
    const auto* other = servers_.at(upstream.host, upstream.port);
    return other != nullptr && servers_.delay(*this, *other) && servers_.delay(*other, *this)
               ? other
               : nullptr;
}

/// The primary that `from` speaks of, if it answers.
const FakeInstance* FakeInstance::source(const Upstream& from) const {
    const auto* other = reach(from);
    const bool is_it = other != nullptr && other->up_ && other->accepting_ &&
                       other->role_ == ha::Role::primary &&
                       (from.timeline == 0 || from.timeline == other->branches_->back().timeline) &&
                       (from.system_id.empty() || from.system_id == other->system_id_);
    return is_it ? other : nullptr;
}

bool FakeInstance::on_history_of(const FakeInstance& other) const {
    const auto& mine = *branches_;
    const auto& theirs = *other.branches_;
    if (mine.empty() || theirs.size() < mine.size() || system_id_ != other.system_id_) {
        return false;
    }
    // As PostgreSQL compares: by number and place. That one number means one promotion is the
    // product's business (N1).
    const auto last = mine.size() - 1;
    for (std::size_t i = 0; i <= last; ++i) {
        if (theirs[i].timeline != mine[i].timeline || theirs[i].begin != mine[i].begin) {
            return false;
        }
    }
    return last + 1 == theirs.size() ? end_ <= other.end_ : end_ <= theirs[last + 1].begin;
}

bool FakeInstance::contains(const std::vector<WalBranch>& all, const WalMark& mark, pg::Lsn end) {
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].id == mark.branch) {
            return mark.lsn <= (i + 1 == all.size() ? end : all[i + 1].begin);
        }
    }
    return false;
}

WalMark FakeInstance::visible() const {
    return branches_->empty() ? WalMark{}
                              : WalMark{.branch = branches_->back().id, .lsn = visible_};
}

void FakeInstance::copy_data(const FakeInstance& from) {
    initialized_ = true;
    system_id_ = from.system_id_;
    branches_ = from.branches_;
    end_ = flushed_ = from.flushed_;
    needs_rewind_ = false;
}

void FakeInstance::die(bool crashed) {
    const auto before = writable();
    ++life_;
    up_ = accepting_ = orphans_ = false;
    crashed_ = crashed;
    disconnect();
    for (auto& [name, sender] : std::exchange(senders_, {})) {
        if (const auto delay = servers_.delay(*this, *sender.standby)) {
            auto* standby = sender.standby;
            standby->arrive(*this, *delay, [standby, session = sender.session] {
                standby->upstream_gone(session);
            });
        }
    }
    end_waits(CommitEnd::lost);
    flushed_ = end_;  // the system keeps what a dead process has written
    if (job_.running && (job_.kind == JobKind::start || job_.kind == JobKind::promote ||
                         job_.kind == JobKind::stop)) {
        job_.running = false;
        job_.error = "the server died";
        job_.failures += job_.kind == JobKind::stop ? 0 : 1;
        job_.since = clock_.now();
        ++job_number_;
    }
    reaping_ = reaping_ || frozen_;
    set_writable(before);
    changed();
}

void FakeInstance::freeze_storage() {
    const auto before = writable();
    frozen_ = true;
    frozen_since_ = clock_.now();
    set_writable(before);
}

void FakeInstance::thaw_storage() {
    const auto before = writable();
    frozen_ = false;
    if (reaping_) {
        later(times.fence, [this] {
            reaping_ = frozen_;
            changed();
        });
    }
    if (up_ && unflushed_ > flushed_) {
        flushed_ = unflushed_;
        pump();
        release();
    }
    unflushed_ = {};
    set_writable(before);
    changed();
}

void FakeInstance::pause_replay(Instant until) {
    replayed_ = replayed();
    replays_from_ = until;
}

pg::Lsn FakeInstance::replayed() const {
    const auto paused = role_ == ha::Role::standby && clock_.now() < replays_from_;
    return paused ? std::min(replayed_, flushed_) : flushed_;
}

void FakeInstance::crash() {
    if (!up_) {
        return;
    }
    if (times.orphans <= Millis{} || !accepting_) {
        return die(true);
    }
    up_ = false;
    orphans_ = crashed_ = true;
    later(times.orphans, [this, life = life_] {
        if (life == life_) {
            die(true);
        }
    });
    changed();
}

void FakeInstance::lose_power() {
    const auto flushed = flushed_;
    if (up_ || orphans_) {
        die(true);
    }
    end_ = flushed_ = std::min(end_, flushed);
    reaping_ = frozen_ = false;
    unflushed_ = {};
}

void FakeInstance::mount(bool foreign) {
    if (foreign == own_data_.has_value()) {
        return;
    }
    auto next = own_data_.value_or(
        Data{.initialized = true,
             .system_id = fmt::format("{}", 8000000000000000000ULL + servers_.next_branch()),
             .branches = std::make_shared<const std::vector<WalBranch>>(
                 1, WalBranch{.id = servers_.next_branch(), .timeline = 1, .begin = pg::Lsn(1)}),
             .end = pg::Lsn(0x2000000)});
    own_data_.reset();
    if (foreign) {
        own_data_ = Data{.initialized = initialized_,
                         .system_id = system_id_,
                         .branches = branches_,
                         .end = end_,
                         .needs_rewind = needs_rewind_};
    }
    initialized_ = next.initialized;
    system_id_ = std::move(next.system_id);
    branches_ = std::move(next.branches);
    end_ = flushed_ = next.end;
    needs_rewind_ = next.needs_rewind;
}

void FakeInstance::restore_backup() {
    if (initialized_ || up_) {
        return;
    }
    constexpr auto branch_of_backup = ~std::uint64_t{0};  // the same WAL wherever it is restored
    initialized_ = restored_ = true;
    system_id_ = "7500000000000000000";
    branches_ = std::make_shared<const std::vector<WalBranch>>(
        1, WalBranch{.id = branch_of_backup, .timeline = 1, .begin = pg::Lsn(1)});
    end_ = flushed_ = pg::Lsn(0x1000000);
}

void FakeInstance::fence_now() {
    if (up_ || orphans_) {
        die(true);
    }
}

void FakeInstance::lose_agent() {
    if (job_.running && (job_.kind == JobKind::clone || job_.kind == JobKind::initdb)) {
        initialized_ = false;
    }
    wake_ = {};
    const auto server_runs_it =
        job_.running && (job_.kind == JobKind::start || job_.kind == JobKind::promote ||
                         job_.kind == JobKind::stop);
    if (!server_runs_it) {
        job_ = {};
        job_then_ = {};
        ++job_number_;
    }
}

bool FakeInstance::write(std::uint64_t bytes) {
    if (!writable()) {
        return false;
    }
    end_ = flushed_ = visible_ = pg::Lsn(end_.bytes() + bytes);
    pump();
    return true;
}

Result<> FakeInstance::begin(JobKind kind, Millis lasts, std::function<Result<>()> then) {
    if (job_.running) {
        return fail(Errc::conflict, "another job is running");
    }
    const auto failures = job_.kind == kind ? job_.failures : 0;
    job_ = {.kind = kind, .running = true, .since = clock_.now(), .failures = failures};
    job_then_ = std::move(then);
    later(lasts, [this, job = ++job_number_] { end_job(job); });
    return {};
}

void FakeInstance::end_job(std::uint64_t job) {
    if (frozen_ && job_.running && job == job_number_) {
        return later(Millis(100), [this, job] { end_job(job); });
    }
    if (!job_.running || job != job_number_) {
        return;
    }
    job_.running = false;
    const auto result = job_then_();
    if (job_.running) {
        return;  // it goes on
    }
    job_.error = result ? "" : result.error().message;
    job_.failures = result ? 0 : job_.failures + 1;
    job_.since = clock_.now();
    changed();
}

io::Task<Local> FakeInstance::observe(Nanos /*limit*/) {
    Local local{.data_dir = initialized_ ? DataDir::initialized : DataDir::empty,
                .system_id = system_id_};
    local.bootstrap_begun = bootstrap_begun_;
    if (restored_) {
        local.restored = ha::Restored{.target = "the end of the archive", .stanza = "elsewhere"};
    }
    local.postmaster = up_;
    local.accepting = up_ && accepting_;
    local.role = role_;
    local.state = local.accepting ? ha::PgState::running
                  : up_           ? ha::PgState::starting
                  : crashed_      ? ha::PgState::crashed
                                  : ha::PgState::stopped;
    local.tree_dead = !up_ && !orphans_ && !reaping_;
    local.crashed = crashed_;
    local.server_version = 150000;
    local.timeline = branches_->empty() ? 0 : branches_->back().timeline;
    local.lsn = local.received = flushed_;
    local.replayed = replayed();
    local.replication_state = streaming_ ? "streaming" : "";
    local.following = following_;
    local.streaming_from_following = streaming_;
    local.receiver_port = streaming_ ? session_ : 0;
    local.final_lsn = local.tree_dead ? flushed_ : pg::Lsn{};
    local.job = job_;
    local.needs_rewind = needs_rewind_;
    local.checkpointed_since_promote = checkpointed_;
    local.walsenders = walsenders();
    local.kept_standby_names = sync_standbys_;
    const auto leads = up_ && accepting_ && role_ == ha::Role::primary;
    local.sync_standby_names = leads ? in_force_text_ : "";
    const auto silent = (hung || frozen_) && !answered_.never();
    answered_ = !up_ ? Instant{} : silent ? answered_ : clock_.now();
    local.answered = answered_;
    const auto stands_still = frozen_ && clock_.now() > frozen_since_ + Seconds(4);
    local.disk_trouble = stands_still ? "no write ended for 4 s" : disk_trouble;
    co_return local;
}

io::Task<Result<>> FakeInstance::configure(config::EffectivePostgresql /*settings*/) {
    return done();
}
/// Nobody here takes another's name.
io::Task<Result<>> FakeInstance::end_walsender(int pid) {
    const auto it =
        std::ranges::find_if(senders_, [&](const auto& s) { return s.second.pid == pid; });
    if (it == senders_.end()) {
        return done();
    }
    auto* standby = it->second.standby;
    const auto session = it->second.session;
    senders_.erase(it);
    if (const auto delay = servers_.delay(*this, *standby)) {
        standby->arrive(*this, *delay, [standby, session] { standby->upstream_gone(session); });
    }
    changed();
    return done();
}
io::Task<Result<>> FakeInstance::adopt() {
    return done();
}

Result<> FakeInstance::initialize(config::Bootstrap /*how*/) {
    if (initialized_) {
        return fail(Errc::unsafe, "initialize: there is a cluster");
    }
    return begin(JobKind::initdb, times.initdb, [this]() -> Result<> {
        initialized_ = bootstrap_begun_ = true;
        system_id_ = fmt::format("{}", 7000000000000000000ULL + servers_.next_branch());
        branches_ = std::make_shared<const std::vector<WalBranch>>(
            1, WalBranch{.id = servers_.next_branch(), .timeline = 1, .begin = pg::Lsn(1)});
        end_ = flushed_ = pg::Lsn(0x1000000);
        return {};
    });
}

io::Task<Result<>> FakeInstance::adopt_restored(config::Bootstrap /*how*/) {
    if (!restored_) {
        co_return fail(Errc::invalid, "no restored cluster lies here");
    }
    bootstrap_begun_ = true;
    co_return Result<>{};
}

io::Task<Result<>> FakeInstance::end_bootstrap() {
    bootstrap_begun_ = false;
    return done();
}

io::Task<Result<>> FakeInstance::abandon_bootstrap() {
    if (initialized_ && (!bootstrap_begun_ || restored_ || up_)) {
        return done(fail(Errc::unsafe, "abandon the bootstrap: more lies here"));
    }
    initialized_ = bootstrap_begun_ = false;
    branches_ = std::make_shared<const std::vector<WalBranch>>();
    end_ = flushed_ = visible_ = {};
    return done();
}

io::Task<Result<std::string>> FakeInstance::ask_archive(std::vector<std::string> /*options*/) {
    co_return fail(Errc::not_found, "there is no archive");
}

io::Task<Result<bool>> FakeInstance::archive_has_claim(std::vector<std::string> /*options*/,
                                                       std::string /*claim*/) {
    co_return fail(Errc::not_found, "there is no archive");
}

io::Task<Result<>> FakeInstance::claim_archive(std::vector<std::string> /*options*/,
                                               std::string /*claim*/) {
    co_return fail(Errc::not_found, "there is no archive");
}

Result<> FakeInstance::clone(Upstream from) {
    if (initialized_) {
        return fail(Errc::unsafe, "clone: there is a cluster");
    }
    return begin(JobKind::clone, times.clone, [this, from]() -> Result<> {
        const auto* there = source(from);
        if (there == nullptr) {
            return fail(Errc::unavailable, "clone: the source does not answer");
        }
        copy_data(*there);
        following_ = from;
        return {};
    });
}

Result<> FakeInstance::reinitialize(Upstream from) {
    if (up_) {
        return fail(Errc::conflict, "reinitialize: PostgreSQL still runs");
    }
    const auto* there = source(from);
    if (there == nullptr || there->system_id_ != system_id_) {
        return fail(Errc::unavailable, "reinitialize: the source does not answer");
    }
    if (on_destructive) {
        on_destructive(JobKind::clone);
    }
    initialized_ = false;
    branches_ = std::make_shared<const std::vector<WalBranch>>();
    end_ = flushed_ = visible_ = {};
    return clone(std::move(from));
}

Result<> FakeInstance::rewind(Upstream from) {
    if (up_) {
        return fail(Errc::conflict, "rewind: PostgreSQL still runs");
    }
    auto begun = begin(JobKind::rewind, times.rewind, [this, from]() -> Result<> {
        const auto* there = source(from);
        if (there == nullptr || there->system_id_ != system_id_) {
            return fail(Errc::unavailable, "rewind: the source does not answer");
        }
        copy_data(*there);
        following_ = from;
        return {};
    });
    if (begun && on_destructive) {
        on_destructive(JobKind::rewind);
    }
    return begun;
}

Result<> FakeInstance::start(StartAs as, std::optional<Upstream> follow) {
    if (up_ || !initialized_) {
        return up_ ? fail(Errc::conflict, "start: it runs already")
                   : fail(Errc::invalid, "start: no data");
    }
    if (orphans_ || reaping_) {
        return fail(Errc::conflict, "start: processes of the last one are left");
    }
    if ((as == StartAs::restored) != (restored_ && as != StartAs::standby)) {
        return fail(Errc::invalid,
                    "start: what was restored has to be recovered, and nothing else");
    }
    const auto lasts = times.start + (crashed_ ? times.crash_recovery : Millis{}) +
                       (as == StartAs::restored ? times.archive_recovery : Millis{});
    if (auto begun = begin(JobKind::start, lasts,
                           [this, as]() -> Result<> {
                               if (!disk_trouble.empty() || !up_) {
                                   die(true);
                                   return fail(Errc::io, "start: " + disk_trouble);
                               }
                               if (as == StartAs::restored) {
                                   end_archive_recovery();
                               }
                               const auto before = writable();
                               accepting_ = up_;
                               visible_ = flushed_ = end_;
                               set_writable(before);
                               connect_later({});
                               return {};
                           });
        !begun) {
        return begun;
    }
    ++life_;
    up_ = true;
    crashed_ = false;
    role_ = as == StartAs::standby ? ha::Role::standby : ha::Role::primary;
    restored_ = restored_ && as == StartAs::restored;
    following_ = std::move(follow);
    reload(sync_standbys_.value_or(""));
    return {};
}

/// It found the archive's end, and opened a timeline of its own.
void FakeInstance::end_archive_recovery() {
    auto branches = *branches_;
    end_ = pg::Lsn(end_.bytes() + 0x1000000);
    branches.push_back(
        {.id = servers_.next_branch(), .timeline = branches.back().timeline + 1, .begin = end_});
    branches_ = std::make_shared<const std::vector<WalBranch>>(std::move(branches));
    restored_ = false;
}

Result<> FakeInstance::stop(StopMode mode) {
    if (!up_) {
        return fail(Errc::unavailable, "stop: PostgreSQL does not run");
    }
    const auto until = clock_.now() + (mode == StopMode::fast ? stop_at_most : Nanos{});
    auto begun = begin(JobKind::stop, times.stop, [this, until] { return finish_stop(until); });
    if (begun) {
        end_waits(CommitEnd::lost);
        const auto before = writable();
        accepting_ = false;  // sessions are gone; walsenders go last
        set_writable(before);
        if (role_ == ha::Role::primary && mode == StopMode::fast) {
            end_ = flushed_ = pg::Lsn(end_.bytes() + 120);  // the shutdown checkpoint
            pump();
        }
    }
    return begun;
}

/// Walsenders send all WAL before a fast stop ends.
Result<> FakeInstance::finish_stop(Instant until) {
    const auto behind = std::any_of(senders_.begin(), senders_.end(),
                                    [&](const auto& s) { return s.second.flush < end_; });
    if (up_ && behind && clock_.now() < until) {
        job_.running = true;
        later(Millis(10), [this, job = ++job_number_] { end_job(job); });
        return {};
    }
    if (up_) {
        die(false);
    }
    return {};
}

Result<> FakeInstance::promote(pg::Timeline timeline) {
    if (!up_) {
        return fail(Errc::unavailable, "promote: PostgreSQL does not run");
    }
    if (!accepting_ || role_ != ha::Role::standby) {
        return fail(Errc::invalid, "promote: no standby runs");
    }
    const auto replay = std::max<Nanos>(replays_from_ - clock_.now(), Nanos{});
    auto begun =
        begin(JobKind::promote, times.promote + to_millis(replay), [this, timeline]() -> Result<> {
            auto branches = *branches_;
            branches.push_back({.id = servers_.next_branch(),
                                .timeline = std::max(timeline, branches.back().timeline + 1),
                                .begin = end_});
            branches_ = std::make_shared<const std::vector<WalBranch>>(std::move(branches));
            end_ = flushed_ = visible_ = pg::Lsn(end_.bytes() + 64);
            const auto before = writable();
            accepting_ = true;
            checkpointed_ = false;
            later(times.checkpoint, [this] {
                checkpointed_ = true;
                changed();
            });
            following_.reset();
            reload(sync_standbys_.value_or(""));
            set_writable(before);
            pump();
            return {};
        });
    if (begun) {
        disconnect();
        flushed_ = end_;
        role_ = ha::Role::primary;
        accepting_ = false;
    }
    return begun;
}

io::Task<Result<>> FakeInstance::follow(std::optional<Upstream> from) {
    if (following_ != from) {
        disconnect();
        following_ = std::move(from);
        connect_later({});
    }
    return done();
}

io::Task<Result<>> FakeInstance::fence(Nanos limit) {
    if (up_ || orphans_) {
        die(false);
        reaping_ = true;
        if (!frozen_) {
            later(times.fence, [this] {
                reaping_ = frozen_;
                changed();
            });
        }
    }
    const auto end = clock_.now() + limit;
    while (reaping_ && clock_.now() < end) {
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + Millis(5)));
    }
    co_return reaping_ ? fail(Errc::timeout, "fence: a process does not die") : Result<>{};
}

io::Task<Result<>> FakeInstance::create_users(config::Bootstrap /*how*/) {
    return done();
}
io::Task<Result<>> FakeInstance::checkpoint(Nanos /*limit*/) {
    checkpointed_ = checkpointed_ || up_;
    return done();
}

io::Task<Result<>> FakeInstance::check_divergence(Upstream primary) {
    const auto* other = source(primary);
    if (other == nullptr) {
        return done(fail(Errc::unavailable, "the primary does not answer"));
    }
    needs_rewind_ = !on_history_of(*other);
    return done();
}

io::Task<Result<std::vector<RefusedSetting>>> FakeInstance::refused_settings(
    config::EffectivePostgresql settings) {
    std::vector<RefusedSetting> out;
    for (const auto& [name, value] : settings.parameters) {
        if (std::ranges::find(refuses, name) != refuses.end()) {
            out.push_back({.name = name, .value = value, .why = "refused"});
        }
    }
    co_return out;
}

io::Task<Result<>> FakeInstance::keep_slots(std::vector<std::string> /*member_names*/) {
    return done();
}

io::Task<Result<>> FakeInstance::drop_slots(std::vector<std::string> /*member_names*/) {
    return done();
}

io::Task<Result<std::string>> FakeInstance::timeline_history(pg::Timeline timeline) {
    std::string text;
    for (std::size_t i = 1; i < branches_->size() && (*branches_)[i].timeline <= timeline; ++i) {
        text += fmt::format("{}\t{}\tno recovery target specified\n", (*branches_)[i - 1].timeline,
                            (*branches_)[i].begin.text());
    }
    co_return text;
}

}  // namespace howdah::instance
