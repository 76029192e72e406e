#include <algorithm>
#include <set>

#include "dcs/fake/fake_store.h"

namespace howdah::dcs::fake {
namespace {

const std::string& key_of(const Operation& operation) {
    return std::visit([](const auto& one) -> const std::string& { return one.key; }, operation);
}

}  // namespace

Instant FakeEtcd::next_expiry() const {
    Instant next{};
    for (const auto& [id, lease] : leases_) {
        if (next.never() || lease.ends < next) {
            next = lease.ends;
        }
    }
    return next;
}

void FakeEtcd::expire() {
    const auto now = clock_.now();
    while (true) {
        const auto due = std::find_if(leases_.begin(), leases_.end(),
                                      [&](const auto& entry) { return entry.second.ends <= now; });
        if (due == leases_.end()) {
            return;
        }
        drop(due->first);
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
    }
}

void FakeEtcd::record(Event event) {
    if (on_event) {
        on_event(event);
    }
    history_.push_back(std::move(event));
    for (auto* bell : listeners) {
        bell->ring();
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
    expire();
    Snapshot result{.revision = revision_, .cluster_id = cluster_id};
    for (auto it = keys_.lower_bound(prefix); it != keys_.end() && it->first.starts_with(prefix);
         ++it) {
        result.keys.push_back(it->second);
    }
    return result;
}

Snapshot FakeEtcd::range_at(const std::string& prefix, Revision revision) {
    expire();
    std::map<std::string, KeyValue> then;
    for (const auto& event : history_) {
        if (event.kv.mod_revision > revision || !event.kv.key.starts_with(prefix)) {
            continue;
        }
        if (event.deleted) {
            then.erase(event.kv.key);
        } else {
            then[event.kv.key] = event.kv;
        }
    }
    Snapshot result{.revision = std::min(revision, revision_), .cluster_id = cluster_id};
    for (auto& [key, kv] : then) {
        result.keys.push_back(std::move(kv));
    }
    return result;
}

Result<TxnAnswer> FakeEtcd::commit(const Txn& txn) {
    expire();
    // etcd checks both branches for keys written twice before it looks at the compares.
    for (const auto* branch : {&txn.then, &txn.otherwise}) {
        std::set<std::string> written;
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
    return answer;
}

Lease FakeEtcd::grant(Seconds ttl) {
    expire();
    const auto id = ++last_lease_;
    leases_[id] = {.ttl = ttl, .ends = clock_.now() + ttl};
    for (auto* bell : listeners) {
        bell->ring();  // watches wake for the end of a lease
    }
    return {.id = id, .ttl = ttl};
}

Result<> FakeEtcd::keep_alive(LeaseId lease) {
    expire();
    const auto it = leases_.find(lease);
    if (it == leases_.end()) {
        return fail(Errc::not_found, "lease is gone");
    }
    it->second.ends = clock_.now() + it->second.ttl;
    return {};
}

Result<> FakeEtcd::revoke(LeaseId lease) {
    expire();
    if (!leases_.contains(lease)) {
        return fail(Errc::not_found, "requested lease not found");
    }
    drop(lease);
    return {};
}

Result<std::vector<Event>> FakeEtcd::events(const std::string& prefix, Revision from) {
    expire();
    if (from <= compacted_) {
        return fail(Errc::conflict, "required revision has been compacted");
    }
    std::vector<Event> result;
    const auto first = std::ranges::partition_point(
        history_, [&](const Event& e) { return e.kv.mod_revision < from; });
    for (auto it = first; it != history_.end(); ++it) {
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
    std::erase_if(history_, [&](const Event& e) { return e.kv.mod_revision <= compacted_; });
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
    history_.clear();
    leases_.clear();
}

}  // namespace howdah::dcs::fake
