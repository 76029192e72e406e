#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "dcs/kv.h"
#include "io/virtual_clock.h"

namespace howdah::dcs::fake {

/// One etcd process, as its clients meet it.
struct EtcdMember {
    bool up = true;
    /// Its disk stands still: it answers nothing that goes through Raft, yet acknowledges
    /// keepalives and serves what it had (measured on 3.4.23).
    bool stalled = false;
    /// Just back from a pause: reads that should be linearizable show what it had before it
    /// (etcd before 3.4.42 and 3.5.28).
    bool lying = false;
    std::shared_ptr<const Snapshot> old_view{};  ///< what it has, while it is behind; null: all
    Revision old_revision = 0;
};

/// etcd as this program sees it: one linearizable log, in memory, and the members in front of it.
/// dcs/kv_contract_test.cpp holds it to what the real one does. Not thread-safe.
class FakeEtcd {
public:
    FakeEtcd(io::Executor executor, io::VirtualClock& clock) : executor_(executor), clock_(clock) {}
    FakeEtcd(const FakeEtcd&) = delete;

    Snapshot range(const std::string& prefix);
    /// The same as it was at an older revision.
    Snapshot range_at(const std::string& prefix, Revision revision) const;
    /// Errors: Errc::not_found (a lease), Errc::invalid (a key written twice).
    Result<TxnAnswer> commit(const Txn& txn);
    Lease grant(Seconds ttl);
    Result<> keep_alive(LeaseId lease);
    Result<> revoke(LeaseId lease);
    /// Errors: Errc::conflict when they have been compacted.
    Result<std::vector<Event>> events(const std::string& prefix, Revision from, Revision to) const;

    /// Forgets the history up to `revision`.
    Result<> compact(Revision revision);
    /// A new, empty cluster in its place.
    void replace();
    /// The store as a backup or a lost disk has it: everything after `revision` never happened.
    void roll_back(Revision revision);

    Revision revision() const { return revision_; }
    Revision compacted() const { return compacted_; }
    /// The model's measure of the space that its history takes.
    Space space() const;
    std::uint64_t cluster_id = 1;

    // ---- members
    void stall(std::size_t member, bool stalled);
    /// Freezes what a member knows; thaw() lets it lie until it has caught up.
    void fall_behind(std::size_t member);
    void catch_up(std::size_t member);
    /// A write or a linearizable read gets through `member`.
    bool serves(std::size_t member) const {
        const auto& m = members.at(member);
        return has_leader && m.up && !m.stalled;
    }
    std::vector<EtcdMember> members{1};
    bool has_leader = true;
    /// Leases outlive their time by so much, as in an election.
    Nanos late_expiry{};
    /// Keys below it wake no watch by themselves: all readers skip them (endpoints' attempts).
    std::string unheeded{};
    // For all clients, besides their own Faults.
    double lose_answers = 0, apply_late = 0, repeat_events = 0;

    /// Called with each commit, for watches.
    struct Listener {
        virtual ~Listener() = default;
        virtual void committed() = 0;
    };
    std::list<Listener*> listeners{};
    void tell();
    /// Called with each committed change, for a simulation's oracle.
    std::function<void(const Event&)> on_event{};
    /// Called when the store itself goes back or loses its data.
    std::function<void()> on_loss{};

    io::Executor executor() const { return executor_; }
    io::VirtualClock& clock() const { return clock_; }

private:
    struct Granted {
        Seconds ttl{};
        Instant ends{};
    };
    void expire();
    void plan_expiry();
    bool holds(const Compare& compare) const;
    void put(const Put& put);
    void erase(const std::string& key);
    void record(Event event);
    bool unheard_ = true;  ///< nothing that a watch should wake for since tell()
    void drop(LeaseId lease);

    io::Executor executor_;
    io::VirtualClock& clock_;
    Revision revision_ = 1;
    Revision compacted_ = 0;
    std::map<std::string, KeyValue> keys_{};
    std::deque<Event> history_{};             ///< after compacted_
    std::map<std::string, KeyValue> base_{};  ///< the state at compacted_
    std::map<LeaseId, Granted> leases_{};
    LeaseId last_lease_ = 0x1000;
    io::VirtualClock::Event expiry_{};
};

}  // namespace howdah::dcs::fake
