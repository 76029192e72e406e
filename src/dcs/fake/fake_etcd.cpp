#include "dcs/fake/fake_etcd.h"

#include <algorithm>
#include <set>

namespace howdah::dcs::fake {
namespace {

const std::string& key_of(const Operation& operation) {
    return std::visit([](const auto& one) -> const std::string& { return one.key; }, operation);
}

}  // namespace

void FakeEtcd::expire() {
    const auto now = clock_.now();
    while (true) {
        const auto due = std::find_if(leases_.begin(), leases_.end(), [&](const auto& entry) {
            return entry.second.ends + late_expiry <= now;
        });
        if (due == leases_.end()) {
            return;
        }
        drop(due->first);
    }
}

/// The store deletes keys by itself, so that watches see it.
void FakeEtcd::plan_expiry() {
    clock_.call_off(expiry_);
    Instant next{};
    for (const auto& [id, lease] : leases_) {
        if (next.never() || lease.ends < next) {
            next = lease.ends;
        }
    }
    if (!next.never()) {
        expiry_ = clock_.at(std::max(next + late_expiry, clock_.now() + Millis(1)), [this] {
            expire();
            plan_expiry();
        });
    }
}

void FakeEtcd::drop(LeaseId lease) {
    leases_.erase(lease);
    std::vector<std::string> gone;
    for (const auto& [key, kv] : keys_) {
        if (kv.lease == lease) {
            gone.push_back(key);
        }
    }
    if (!gone.empty()) {
        ++revision_;
        for (const auto& key : gone) {
            erase(key);
        }
        tell();
    }
}

void FakeEtcd::record(Event event) {
    if (on_event) {
        on_event(event);
    }
    unheard_ = unheard_ && !unheeded.empty() && event.kv.key.starts_with(unheeded);
    history_.push_back(std::move(event));
}

void FakeEtcd::tell() {
    unheard_ = true;
    for (auto* listener : listeners) {
        listener->committed();
    }
}

void FakeEtcd::put(const Put& put) {
    auto& kv = keys_[put.key];
    kv.create_revision = kv.create_revision == 0 ? revision_ : kv.create_revision;
    kv.key = put.key;
    kv.value = put.value;
    kv.mod_revision = revision_;
    kv.lease = put.lease;
    record({.kv = kv});
}

void FakeEtcd::erase(const std::string& key) {
    if (keys_.erase(key) > 0) {
        record({.deleted = true, .kv = {.key = key, .mod_revision = revision_}});
    }
}

bool FakeEtcd::holds(const Compare& compare) const {
    const auto it = keys_.find(compare.key);
    const bool there = it != keys_.end();
    switch (compare.field) {
        case Compare::Field::mod_revision:
            return (there ? it->second.mod_revision : 0) == compare.revision;
        case Compare::Field::create_revision:
            return (there ? it->second.create_revision : 0) == compare.revision;
        case Compare::Field::value:
            return there && it->second.value == compare.value;
    }
    return false;
}

Snapshot FakeEtcd::range(const std::string& prefix) {
    Snapshot result{.revision = revision_, .cluster_id = cluster_id};
    for (auto it = keys_.lower_bound(prefix); it != keys_.end() && it->first.starts_with(prefix);
         ++it) {
        result.keys.push_back(it->second);
    }
    return result;
}

namespace {

void replay(std::map<std::string, KeyValue>& keys, const Event& event) {
    if (event.deleted) {
        keys.erase(event.kv.key);
    } else {
        keys[event.kv.key] = event.kv;
    }
}

}  // namespace

Snapshot FakeEtcd::range_at(const std::string& prefix, Revision revision) const {
    auto then = base_;
    for (const auto& event : history_) {
        if (event.kv.mod_revision <= revision) {
            replay(then, event);
        }
    }
    Snapshot result{.revision = std::min(revision, revision_), .cluster_id = cluster_id};
    for (auto& [key, kv] : then) {
        if (key.starts_with(prefix)) {
            result.keys.push_back(std::move(kv));
        }
    }
    return result;
}

Result<TxnAnswer> FakeEtcd::commit(const Txn& txn) {
    // etcd checks both branches for keys written twice before it looks at the compares.
    for (const auto* branch : {&txn.then, &txn.otherwise}) {
        std::set<std::string_view> written;
        for (const auto& operation : *branch) {
            if (!std::holds_alternative<Get>(operation) &&
                !written.insert(key_of(operation)).second) {
                return fail(Errc::invalid, "duplicate key given in txn request");
            }
        }
    }
    TxnAnswer answer{
        .succeeded = std::ranges::all_of(txn.when, [this](const Compare& c) { return holds(c); }),
        .cluster_id = cluster_id};
    const auto& branch = answer.succeeded ? txn.then : txn.otherwise;
    bool writes = false;
    for (const auto& operation : branch) {
        const auto* one = std::get_if<Put>(&operation);
        if (one != nullptr && one->lease != 0 && !leases_.contains(one->lease)) {
            return fail(Errc::not_found, "requested lease not found");
        }
        writes = writes || one != nullptr ||
                 (std::holds_alternative<Delete>(operation) && keys_.contains(key_of(operation)));
    }
    revision_ += writes ? 1 : 0;
    for (const auto& operation : branch) {
        if (const auto* one = std::get_if<Put>(&operation)) {
            put(*one);
        } else if (std::holds_alternative<Delete>(operation)) {
            erase(key_of(operation));
        } else if (const auto it = keys_.find(key_of(operation)); it != keys_.end()) {
            answer.found.push_back(it->second);
        }
    }
    answer.revision = revision_;
    if (writes && !unheard_) {
        tell();
    }
    return answer;
}

Lease FakeEtcd::grant(Seconds ttl) {
    const auto id = ++last_lease_;
    leases_[id] = {.ttl = ttl, .ends = clock_.now() + ttl};
    plan_expiry();
    return {.id = id, .ttl = ttl};
}

Result<> FakeEtcd::keep_alive(LeaseId lease) {
    const auto it = leases_.find(lease);
    if (it == leases_.end()) {
        return fail(Errc::not_found, "lease is gone");
    }
    it->second.ends = clock_.now() + it->second.ttl;
    return {};
}

Result<> FakeEtcd::revoke(LeaseId lease) {
    if (!leases_.contains(lease)) {
        return fail(Errc::not_found, "requested lease not found");
    }
    drop(lease);
    return {};
}

Result<std::vector<Event>> FakeEtcd::events(const std::string& prefix, Revision from,
                                            Revision to) const {
    if (from <= compacted_) {
        return fail(Errc::conflict, "required revision has been compacted");
    }
    std::vector<Event> result;
    const auto first = std::ranges::partition_point(
        history_, [&](const Event& e) { return e.kv.mod_revision < from; });
    for (auto it = first; it != history_.end() && it->kv.mod_revision <= to; ++it) {
        if (it->kv.key.starts_with(prefix)) {
            result.push_back(*it);
        }
    }
    return result;
}

Result<> FakeEtcd::compact(Revision revision) {
    if (revision > revision_) {
        return fail(Errc::conflict, "required revision is a future revision");
    }
    compacted_ = std::max(compacted_, revision);
    while (!history_.empty() && history_.front().kv.mod_revision <= compacted_) {
        replay(base_, history_.front());
        history_.pop_front();
    }
    return {};
}

Space FakeEtcd::space() const {
    return {.used = std::ssize(history_) * 512, .limit = 2LL << 30};
}

void FakeEtcd::replace() {
    ++cluster_id;
    revision_ = 1;
    compacted_ = 0;
    keys_.clear();
    base_.clear();
    history_.clear();
    leases_.clear();
    for (auto& member : members) {
        member.old_view.reset();
    }
    if (on_loss) {
        on_loss();
    }
}

void FakeEtcd::roll_back(Revision revision) {
    revision = std::max(revision, compacted_);
    keys_ = base_;
    while (!history_.empty() && history_.back().kv.mod_revision > revision) {
        history_.pop_back();
    }
    for (const auto& event : history_) {
        replay(keys_, event);
    }
    revision_ = std::min(revision, revision_);
    for (auto& [key, kv] : keys_) {
        if (kv.lease != 0 && !leases_.contains(kv.lease)) {
            leases_[kv.lease] = {.ttl = Seconds(30), .ends = clock_.now() + Seconds(30)};
        }
    }
    for (auto& member : members) {
        member.old_view.reset();
    }
    plan_expiry();
    if (on_loss) {
        on_loss();
    }
}

void FakeEtcd::stall(std::size_t member, bool stalled) {
    members.at(member).stalled = stalled;
    if (stalled) {
        fall_behind(member);
    } else {
        catch_up(member);
    }
}

void FakeEtcd::fall_behind(std::size_t member) {
    auto& m = members.at(member);
    if (!m.old_view) {
        m.old_view = std::make_shared<const Snapshot>(range(""));
        m.old_revision = revision_;
    }
}

void FakeEtcd::catch_up(std::size_t member) {
    auto& m = members.at(member);
    m.old_view.reset();
    m.lying = false;
    tell();
}

}  // namespace howdah::dcs::fake
