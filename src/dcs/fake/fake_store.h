#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "dcs/kv.h"

namespace howdah::dcs::fake {

/// etcd as this program sees it: one linearizable log, in memory. dcs/kv_contract_test.cpp holds it
/// to what the real one does. Not thread-safe.
class FakeEtcd {
public:
    FakeEtcd(io::Executor executor, io::Clock& clock) : executor_(executor), clock_(clock) {}
    FakeEtcd(const FakeEtcd&) = delete;

    Snapshot range(const std::string& prefix);
    /// The same as it was at an older revision.
    Snapshot range_at(const std::string& prefix, Revision revision);
    /// Errors: Errc::not_found (a lease), Errc::invalid (a key written twice).
    Result<TxnAnswer> commit(const Txn& txn);
    Lease grant(Seconds ttl);
    Result<> keep_alive(LeaseId lease);
    Result<> revoke(LeaseId lease);
    /// Errors: Errc::conflict when they have been compacted.
    Result<std::vector<Event>> events(const std::string& prefix, Revision from);

    /// Forgets the history up to `revision`.
    Result<> compact(Revision revision);
    /// A new, empty cluster in its place.
    void replace();

    Revision revision() const { return revision_; }
    /// The model's measure of the space that its history takes.
    Space space() const;
    std::uint64_t cluster_id = 1;

    /// Bells that ring with each commit.
    std::list<io::Bell*> listeners{};
    /// Called with each committed change, for a simulation's oracle.
    std::function<void(const Event&)> on_event{};

    io::Executor executor() const { return executor_; }
    io::Clock& clock() const { return clock_; }
    /// Deletes the keys of leases that have run out; every other call begins with it.
    void expire();
    /// The next end of a lease; never() without leases.
    Instant next_expiry() const;

private:
    struct Granted {
        Seconds ttl{};
        Instant ends{};
    };
    bool holds(const Compare& compare) const;
    void put(const Put& put);
    void erase(const std::string& key);
    void record(Event event);
    void drop(LeaseId lease);

    io::Executor executor_;
    io::Clock& clock_;
    Revision revision_ = 1;
    Revision compacted_ = 0;
    std::map<std::string, KeyValue> keys_{};
    std::vector<Event> history_{};
    std::map<LeaseId, Granted> leases_{};
    LeaseId last_lease_ = 0x1000;
};

/// What goes wrong between one client and the store. Change at any time.
struct Faults {
    bool reachable = true;
    Nanos min_delay{};  ///< of each of the two ways
    Nanos max_delay{};
    double lose_request = 0;   ///< the caller waits in vain, nothing happened
    double lose_answer = 0;    ///< the caller waits in vain, it happened
    bool stale_reads = false;  ///< a read with `stale_is_fine` gets the state of `stale_revision`
    Revision stale_revision = 0;
};

/// One client's connection to a FakeEtcd, which outlives it.
class FakeStore final : public KeyValueStore {
public:
    FakeStore(FakeEtcd& etcd, std::uint64_t seed) : etcd_(etcd), random_(seed) {}

    Faults faults{};

    io::Task<Result<Snapshot>> get(std::string prefix, bool stale_is_fine, Patience) override;
    io::Task<Result<TxnAnswer>> commit(Txn, Patience) override;
    io::Task<Result<Lease>> grant(Seconds ttl, Patience) override;
    io::Task<Result<>> keep_alive(LeaseId, Patience) override;
    io::Task<Result<>> revoke(LeaseId, Patience) override;
    io::Task<Result<>> compact(Revision revision, Patience) override;
    io::Task<Result<Space>> space(Patience) override;
    std::unique_ptr<Watch> watch(std::string prefix, Revision from) override;

private:
    friend class FakeWatch;
    template <class T>
    io::Task<Result<T>> ask(std::function<Result<T>()> question, Nanos limit);
    Nanos delay();

    FakeEtcd& etcd_;
    Random random_;
};

}  // namespace howdah::dcs::fake
