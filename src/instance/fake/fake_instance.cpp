#include "instance/fake/fake_instance.h"

#include <fmt/format.h>

#include <algorithm>

namespace howdah::instance {
namespace {

std::string address(const std::string& host, std::uint16_t port) {
    return fmt::format("{}:{}", host, port);
}

io::Task<Result<>> done(Result<> result = {}) {
    co_return result;
}

}  // namespace

FakeInstance* FakeServers::at(const std::string& host, std::uint16_t port) const {
    const auto it = servers_.find(address(host, port));
    return it == servers_.end() ? nullptr : it->second;
}

std::vector<FakeInstance*> FakeServers::all() const {
    std::vector<FakeInstance*> all;
    for (const auto& [at, server] : servers_) {
        all.push_back(server);
    }
    return all;
}

void FakeServers::listen(const std::string& host, std::uint16_t port, FakeInstance& server) {
    servers_[address(host, port)] = &server;
}

FakeInstance::FakeInstance(io::Clock& clock, FakeServers& servers, std::string name,
                           std::string host, std::uint16_t port)
    : clock_(clock), servers_(servers), name_(std::move(name)) {
    servers_.listen(host, port, *this);
}

void FakeInstance::changed() const {
    if (wake_) {
        wake_();
    }
}

void FakeInstance::step() {
    const auto now = clock_.now();
    const auto kill = kill_at();
    if (up_ && !kill.never() && now >= kill) {
        die(true);
    }
    if (job_.running && now >= job_ends_) {
        job_.running = false;
        const auto result = job_then_();
        job_.error = result ? "" : result.error().message;
        job_.failures = result ? 0 : job_.failures + 1;
        job_.since = now;
        changed();
    }
    replicate();
}

void FakeInstance::replicate() {
    const auto was = streaming_;
    streaming_ = false;
    if (up_ && accepting_ && role_ == ha::Role::standby && following_) {
        const auto* from = reach(*following_);
        if (from != nullptr && from->up_ && from->accepting_ && on_history_of(*from)) {
            streaming_ = true;
            if (clock_.now() >= receives_from_) {
                branches_ = from->branches_;
                end_ = from->end_;
            }
        }
    }
    if (was != streaming_) {
        changed();
    }
}

FakeInstance* FakeInstance::reach(const Upstream& upstream) const {
    auto* other = servers_.at(upstream.host, upstream.port);
    return other != nullptr && servers_.reaches(name_, other->name_) ? other : nullptr;
}

bool FakeInstance::on_history_of(const FakeInstance& other) const {
    if (branches_.empty() || other.branches_.size() < branches_.size() ||
        system_id_ != other.system_id_) {
        return false;
    }
    const auto last = branches_.size() - 1;
    if (other.branches_[last].id != branches_[last].id) {
        return false;
    }
    return last + 1 == other.branches_.size() ? end_ <= other.end_
                                              : end_ <= other.branches_[last + 1].begin;
}

void FakeInstance::copy_data(const FakeInstance& from) {
    initialized_ = true;
    system_id_ = from.system_id_;
    branches_ = from.branches_;
    end_ = from.end_;
    needs_rewind_ = false;
}

void FakeInstance::die(bool crashed) {
    up_ = accepting_ = streaming_ = false;
    crashed_ = crashed;
    if (job_.running && (job_.kind == JobKind::start || job_.kind == JobKind::promote ||
                         job_.kind == JobKind::stop)) {
        job_.running = false;
        job_.error = "the server died";
        job_.failures += job_.kind == JobKind::stop ? 0 : 1;
        job_.since = clock_.now();
    }
    changed();
}

void FakeInstance::crash() {
    if (up_) {
        die(true);
    }
}

void FakeInstance::lose_agent() {
    if (job_.running && (job_.kind == JobKind::clone || job_.kind == JobKind::initdb)) {
        initialized_ = false;
    }
    job_ = {};
    job_then_ = {};
    wake_ = {};
    if (up_ && !accepting_) {
        accepting_ = true;  // a server that was starting comes up without its agent
    }
}

bool FakeInstance::write(std::uint64_t bytes) {
    if (!writable()) {
        return false;
    }
    end_ = pg::Lsn(end_.bytes() + bytes);
    return true;
}

Result<> FakeInstance::begin(JobKind kind, Millis lasts, std::function<Result<>()> then) {
    if (job_.running) {
        return fail(Errc::conflict, "another job is running");
    }
    const auto failures = job_.kind == kind ? job_.failures : 0;
    job_ = {.kind = kind, .running = true, .since = clock_.now(), .failures = failures};
    job_ends_ = clock_.now() + lasts;
    job_then_ = std::move(then);
    return {};
}

io::Task<Local> FakeInstance::observe(Nanos /*limit*/) {
    Local local{.data_dir = initialized_ ? DataDir::initialized : DataDir::empty,
                .system_id = system_id_};
    local.postmaster = up_;
    local.accepting = accepting_;
    local.role = role_;
    local.state = accepting_ ? ha::PgState::running
                  : up_      ? ha::PgState::starting
                  : crashed_ ? ha::PgState::crashed
                             : ha::PgState::stopped;
    local.tree_dead = !up_;
    local.crashed = crashed_;
    local.server_version = 150000;
    local.timeline = branches_.empty() ? 0 : branches_.back().timeline;
    local.lsn = local.received = local.replayed = end_;
    local.replication_state = streaming_ ? "streaming" : "";
    local.following = following_;
    local.streaming_from_following = streaming_;
    local.final_lsn = up_ ? pg::Lsn{} : end_;
    local.job = job_;
    local.needs_rewind = needs_rewind_;
    local.walsenders = walsenders();
    local.sync_standby_names = writable() ? sync_standbys_ : "";
    answered_ = !up_ ? Instant{} : hung && !answered_.never() ? answered_ : clock_.now();
    local.answered = answered_;
    local.disk_trouble = disk_trouble;
    co_return local;
}

io::Task<Result<>> FakeInstance::configure(config::EffectivePostgresql /*settings*/) {
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
        initialized_ = true;
        system_id_ = fmt::format("{}", 7000000000000000000ULL + servers_.next_branch());
        branches_ = {{.id = servers_.next_branch(), .timeline = 1, .begin = pg::Lsn(1)}};
        end_ = pg::Lsn(0x1000000);
        return {};
    });
}

Result<> FakeInstance::clone(Upstream from) {
    if (initialized_) {
        return fail(Errc::unsafe, "clone: there is a cluster");
    }
    return begin(JobKind::clone, times.clone, [this, from]() -> Result<> {
        const auto* source = reach(from);
        if (source == nullptr || !source->accepting_) {
            return fail(Errc::unavailable, "clone: the source does not answer");
        }
        copy_data(*source);
        following_ = from;
        return {};
    });
}

Result<> FakeInstance::rewind(Upstream from) {
    if (up_) {
        return fail(Errc::conflict, "rewind: PostgreSQL still runs");
    }
    return begin(JobKind::rewind, times.rewind, [this, from]() -> Result<> {
        const auto* source = reach(from);
        if (source == nullptr || !source->accepting_ || source->system_id_ != system_id_) {
            return fail(Errc::unavailable, "rewind: the source does not answer");
        }
        copy_data(*source);
        following_ = from;
        return {};
    });
}

Result<> FakeInstance::start(StartAs as, std::optional<Upstream> follow) {
    if (up_ || !initialized_) {
        return up_ ? fail(Errc::conflict, "start: it runs already")
                   : fail(Errc::invalid, "start: no data");
    }
    if (auto begun = begin(JobKind::start, times.start,
                           [this]() -> Result<> {
                               accepting_ = up_;
                               return {};
                           });
        !begun) {
        return begun;
    }
    up_ = true;
    crashed_ = false;
    role_ = as == StartAs::primary ? ha::Role::primary : ha::Role::standby;
    following_ = std::move(follow);
    return {};
}

Result<> FakeInstance::stop(StopMode /*mode*/) {
    if (!up_) {
        return fail(Errc::unavailable, "stop: PostgreSQL does not run");
    }
    return begin(JobKind::stop, times.stop, [this]() -> Result<> {
        // Walsenders send all WAL before a fast stop ends.
        if (up_) {
            die(false);
        }
        return {};
    });
}

Result<> FakeInstance::promote() {
    if (!up_) {
        return fail(Errc::unavailable, "promote: PostgreSQL does not run");
    }
    if (!accepting_ || role_ != ha::Role::standby) {
        return fail(Errc::invalid, "promote: no standby runs");
    }
    auto begun = begin(JobKind::promote, times.promote, [this]() -> Result<> {
        branches_.push_back({.id = servers_.next_branch(),
                             .timeline = branches_.back().timeline + 1,
                             .begin = end_});
        end_ = pg::Lsn(end_.bytes() + 64);
        accepting_ = true;
        following_.reset();
        return {};
    });
    if (begun) {
        role_ = ha::Role::primary;
        accepting_ = false;
    }
    return begun;
}

io::Task<Result<>> FakeInstance::follow(std::optional<Upstream> from) {
    following_ = std::move(from);
    return done();
}

io::Task<Result<>> FakeInstance::fence(Nanos /*limit*/) {
    if (up_) {
        die(false);
    }
    return done();
}

io::Task<Result<>> FakeInstance::create_users(config::Bootstrap /*how*/) {
    return done();
}
io::Task<Result<>> FakeInstance::checkpoint(Nanos /*limit*/) {
    return done();
}

io::Task<Result<>> FakeInstance::check_divergence(Upstream primary) {
    const auto* other = reach(primary);
    if (other == nullptr || !other->accepting_) {
        return done(fail(Errc::unavailable, "the primary does not answer"));
    }
    needs_rewind_ = !on_history_of(*other);
    return done();
}

io::Task<Result<>> FakeInstance::keep_slots(std::vector<std::string> /*member_names*/) {
    return done();
}

io::Task<Result<std::string>> FakeInstance::timeline_history(pg::Timeline /*timeline*/) {
    std::string text;
    for (std::size_t i = 1; i < branches_.size(); ++i) {
        text += fmt::format("{}\t{}\tno recovery target specified\n", branches_[i - 1].timeline,
                            branches_[i].begin.text());
    }
    co_return text;
}

}  // namespace howdah::instance
