#include <fmt/format.h>

#include <algorithm>

#include "instance/fake/fake_instance.h"
#include "pg/sync_standbys.h"

// The model's part in sealing and synchronous replication. Its replication is instant, and a change
// of the settings is too.

namespace howdah::instance {

io::Task<Result<WalPosition>> FakeInstance::stop_receiving(Nanos /*limit*/) {
    if (up_ && role_ == ha::Role::primary) {
        co_return fail(Errc::conflict, "stop receiving: it runs as primary");
    }
    if (!initialized_ || branches_.empty()) {
        co_return fail(Errc::invalid, "stop receiving: no data");
    }
    following_.reset();
    streaming_ = false;
    co_return WalPosition{.timeline = branches_.back().timeline, .flushed = end_};
}

io::Task<Result<>> FakeInstance::set_sync_standbys(std::optional<std::string> names,
                                                   Nanos /*limit*/) {
    HD_CO_TRY(names_, pg::SyncStandbys::parse(names.value_or("")));
    sync_standbys_ = names.value_or("");
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

pg::Lsn FakeInstance::acknowledged() const {
    if (!writable()) {
        return {};
    }
    if (names_.count == 0) {
        return end_;
    }
    std::vector<pg::Lsn> flushed;
    for (const auto* other : servers_.all()) {
        if (streams_from_here(*other) && names_.priority_of(other->name_) > 0) {
            flushed.push_back(other->end_);
        }
    }
    std::sort(flushed.rbegin(), flushed.rend());
    const auto needed = static_cast<std::size_t>(names_.count);
    return flushed.size() < needed ? pg::Lsn{} : flushed[needed - 1];
}

bool FakeInstance::streams_from_here(const FakeInstance& other) const {
    return other.streaming_ && other.following_ && other.reach(*other.following_) == this;
}

std::vector<Walsender> FakeInstance::walsenders() const {
    std::vector<Walsender> all;
    if (!up_ || !accepting_) {
        return all;
    }
    const auto& names = names_;
    for (const auto* other : servers_.all()) {
        if (!streams_from_here(*other)) {
            continue;
        }
        const auto priority = writable() ? names.priority_of(other->name_) : 0;
        all.push_back({.application_name = other->name_,
                       .state = "streaming",
                       .sync_state = priority == 0                                   ? "async"
                                     : names.method == pg::SyncStandbys::Method::any ? "quorum"
                                     : priority <= names.count                       ? "sync"
                                                                                     : "potential",
                       .sync_priority = priority,
                       .write = other->end_,
                       .flush = other->end_,
                       .replay = other->end_});
    }
    return all;
}

}  // namespace howdah::instance
