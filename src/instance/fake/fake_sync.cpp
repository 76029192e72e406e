#include <fmt/format.h>

#include <algorithm>

#include "instance/fake/fake_instance.h"

// The model's part in sealing and synchronous replication.

namespace howdah::instance {
namespace {

/// How long a standby's WAL receiver takes to end (measured: 39 ms).
constexpr Nanos receiver_ends_within = Millis(39);

}  // namespace

void FakeInstance::commit(std::uint64_t bytes, std::function<void(Committed)> then) {
    if (!writable() || !disk_trouble.empty()) {
        return then({.end = CommitEnd::refused});
    }
    end_ = pg::Lsn(end_.bytes() + bytes);
    waiters_.push_back({.lsn = end_, .then = std::move(then)});
    later(times.flush, [this, lsn = end_, life = life_] {
        if (frozen_) {
            unflushed_ = std::max(unflushed_, lsn);
            return;
        }
        if (life == life_ && (up_ || orphans_) && flushed_ < lsn) {
            flushed_ = lsn;
            pump();
            release();
        }
    });
}

void FakeInstance::vacuum(std::uint64_t bytes) {
    if (writable() && disk_trouble.empty()) {
        end_ = flushed_ = pg::Lsn(end_.bytes() + bytes);
        pump();
        release();
    }
}

bool FakeInstance::satisfied(pg::Lsn lsn) const {
    if (in_force_.method == pg::SyncStandbys::Method::none) {
        return true;
    }
    std::vector<std::pair<int, pg::Lsn>> named;
    for (const auto& [name, sender] : senders_) {
        if (const auto priority = in_force_.priority_of(name); priority > 0) {
            named.emplace_back(priority, sender.flush);
        }
    }
    const auto count = in_force_.count;
    if (std::ssize(named) < count) {
        return false;
    }
    if (in_force_.method == pg::SyncStandbys::Method::first) {
        std::sort(named.begin(), named.end());
        named.resize(static_cast<std::size_t>(count));
    }
    return std::count_if(named.begin(), named.end(),
                         [&](const auto& s) { return s.second >= lsn; }) >= count;
}

void FakeInstance::release() {
    while (!waiters_.empty() && waiters_.front().lsn <= flushed_ &&
           satisfied(waiters_.front().lsn)) {
        auto waiter = std::move(waiters_.front());
        waiters_.pop_front();
        visible_ = std::max(visible_, waiter.lsn);
        waiter.then({.end = CommitEnd::done,
                     .mark = {.branch = branches_->back().id, .lsn = waiter.lsn},
                     .waited = in_force_.method != pg::SyncStandbys::Method::none});
    }
}

void FakeInstance::end_waits(CommitEnd how) {
    // Others see what a warned commit wrote; no promise covers it (its session is told so), so it
    // counts for no reader either.
    for (auto& waiter : std::exchange(waiters_, {})) {
        waiter.then({.end = how, .mark = {.branch = branches_->back().id, .lsn = waiter.lsn}});
    }
}

void FakeInstance::cancel_waits() {
    if (writable()) {
        flushed_ = std::max(flushed_, end_);
        end_waits(CommitEnd::warned);
        pump();
    }
}

void FakeInstance::reload(std::string names) {
    in_force_ = pg::SyncStandbys::parse(names).value_or(pg::SyncStandbys{});
    in_force_text_ = std::move(names);
    release();
    changed();
}

io::Task<Result<WalPosition>> FakeInstance::stop_receiving(Nanos /*limit*/) {
    if (up_ && role_ == ha::Role::primary) {
        co_return fail(Errc::conflict, "stop receiving: it runs as primary");
    }
    if (!initialized_ || branches_->empty()) {
        co_return fail(Errc::invalid, "stop receiving: no data");
    }
    if (job_.running && (job_.kind == JobKind::clone || job_.kind == JobKind::rewind)) {
        co_return fail(Errc::conflict, "stop receiving: the data directory is being made");
    }
    const auto was_streaming = streaming_;
    disconnect();
    following_.reset();
    if (was_streaming) {
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + receiver_ends_within));
    }
    if (streaming_ || following_ || branches_->empty()) {
        co_return fail(Errc::conflict, "stop receiving: it was told to follow again");
    }
    co_return WalPosition{.timeline = branches_->back().timeline, .flushed = flushed_};
}

io::Task<Result<>> FakeInstance::set_sync_standbys(std::optional<std::string> names, Nanos limit) {
    const auto text = names.value_or("");
    HD_CO_TRY_VOID(pg::SyncStandbys::parse(text));
    if (frozen_) {
        co_return fail(Errc::timeout,
                       "synchronous_standby_names: the configuration can't be written");
    }
    sync_standbys_ = names;
    if (!up_) {
        co_return Result<>{};
    }
    later(times.reload, [this, names, text, life = life_] {
        if (life == life_ && sync_standbys_ == names && in_force_text_ != text) {
            reload(text);
        }
    });
    const auto until = clock_.now() + limit;
    while (up_ && in_force_text_ != text) {
        if (clock_.now() >= until) {
            co_return fail(Errc::timeout, "synchronous_standby_names: not in force everywhere");
        }
        HD_CO_TRY_VOID(co_await clock_.until(std::min(until, clock_.now() + times.reload)));
        if (sync_standbys_ != names) {
            co_return fail(Errc::conflict, "synchronous_standby_names: changed meanwhile");
        }
    }
    co_return Result<>{};
}

io::Task<Result<>> FakeInstance::await_sync_flush(pg::Lsn lsn, int count,
                                                  std::vector<std::string> of, Nanos limit) {
    const auto end = clock_.now() + limit;
    while (writable() && ha::flushed_by(walsenders(), lsn, of) < count) {
        if (clock_.now() >= end) {
            co_return fail(Errc::timeout, "sync barrier: too few standbys have flushed");
        }
        HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + times.replicate));
    }
    co_return writable() ? Result<>{} : fail(Errc::unavailable, "sync barrier: no primary runs");
}

}  // namespace howdah::instance
