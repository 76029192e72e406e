#include "dcs/fake/fake_store.h"

#include <algorithm>

namespace howdah::dcs::fake {
namespace {

/// How soon a watch notices that it can reach the store again.
constexpr Nanos look_again = Millis(200);
/// A request that the store had taken in before an election is applied within this time.
constexpr Nanos latest_application = Seconds(8);

}  // namespace

/// Sees each change after the client's delay, and nothing while the member that it hangs on is out
/// of reach or behind.
class FakeWatch final : public Watch, private FakeEtcd::Listener {
public:
    FakeWatch(FakeStore& store, std::string prefix, Revision from)
        : store_(store),
          prefix_(std::move(prefix)),
          from_(from),
          member_(store.pick_member()),
          bell_(store.etcd_.executor()),
          place_(store.etcd_.listeners.insert(store.etcd_.listeners.end(), this)) {
        look_after({});
    }
    ~FakeWatch() override {
        store_.etcd_.listeners.erase(place_);
        store_.clock_.call_off(coming_);
    }

    io::Task<Result<std::vector<Event>>> next() override {
        while (true) {
            if (there_) {
                there_ = false;
                HD_CO_TRY(auto events, take());
                if (!events.empty()) {
                    co_return events;
                }
            }
            if (!there_ && !co_await bell_.wait()) {
                co_return fail(Errc::cancelled, "watch cancelled");
            }
        }
    }

private:
    Result<std::vector<Event>> take() {
        auto& etcd = store_.etcd_;
        const auto& member = etcd.members.at(member_);
        if (!store_.way(member_, false) || !store_.way(member_, true) || !member.up) {
            member_ = store_.pick_member();
            look_after(look_again);
            return std::vector<Event>{};
        }
        const auto to = member.old_view ? member.old_revision : etcd.revision();
        const auto repeat = store_.random_.chance(etcd.repeat_events) ? 3 : 0;
        HD_TRY(auto events, etcd.events(prefix_, from_, to));
        if (!events.empty()) {
            from_ = events.back().kv.mod_revision + 1;
            if (repeat != 0) {
                again_ = events;
            }
        } else if (!again_.empty()) {
            events = std::exchange(again_, {});
        }
        if (!again_.empty()) {
            look_after(Millis(30));
        }
        return events;
    }
    void look_after(Nanos delay) {
        if (scheduled_) {
            return;
        }
        scheduled_ = true;
        coming_ = store_.clock_.arrive(store_.etcd_.clock().now() + delay, [this] {
            scheduled_ = false;
            there_ = true;
            bell_.wake_all();
        });
    }
    void committed() override {
        if (!scheduled_) {
            look_after(store_.way(member_, false).value_or(look_again));
        }
    }

    FakeStore& store_;
    std::string prefix_;
    Revision from_;
    std::size_t member_;
    io::Parking bell_;
    std::list<FakeEtcd::Listener*>::iterator place_;
    std::vector<Event> again_{};
    io::HostClock::Handle coming_ = 0;
    bool scheduled_ = false;
    bool there_ = false;
};

/// One request and what became of it, shared with the events that carry it about.
template <class T>
struct FakeStore::Call {
    Call(io::Executor executor, Kind k, Question<T> q)
        : kind(k), question(std::move(q)), done(executor) {}
    Kind kind;
    Question<T> question;
    io::Parking done;
    std::optional<Result<T>> answer{};
    bool given_up = false;

    void end(Result<T> with) {
        if (!answer && !given_up) {
            answer = std::move(with);
            done.wake_all();
        }
    }
};

FakeStore::FakeStore(FakeEtcd& etcd, std::uint64_t seed)
    : etcd_(etcd),
      random_(seed),
      own_clock_(std::make_unique<io::HostClock>(etcd.clock(), Nanos{}, 0)),
      clock_(*own_clock_) {}

FakeStore::FakeStore(FakeEtcd& etcd, std::uint64_t seed, io::HostClock& clock)
    : etcd_(etcd), random_(seed), clock_(clock) {}

FakeStore::~FakeStore() {
    *alive_ = false;
}

std::optional<Nanos> FakeStore::way(std::size_t member, bool to_store) {
    if (!faults.reachable) {
        return std::nullopt;
    }
    if (faults.way) {
        return faults.way(member, to_store);
    }
    return Nanos(random_.between(faults.min_delay.count(),
                                 std::max(faults.min_delay, faults.max_delay).count()));
}

std::size_t FakeStore::pick_member() {
    return static_cast<std::size_t>(random_.between(0, std::ssize(etcd_.members) - 1));
}

bool FakeStore::answers(Kind kind, std::size_t member) const {
    const auto& m = etcd_.members.at(member);
    switch (kind) {
        case Kind::raft:
            return etcd_.serves(member);
        case Kind::linearizable:
            return etcd_.serves(member) || (m.up && m.lying);
        case Kind::serializable:
        case Kind::keepalive:
            return m.up;
    }
    return false;
}

template <class T>
void FakeStore::arrive(const std::shared_ptr<Call<T>>& call, std::size_t member) {
    if (!answers(call->kind, member)) {
        return;
    }
    auto answer = call->question(member);
    if (!*alive_ || call->given_up || random_.chance(faults.lose_answer + etcd_.lose_answers)) {
        return;
    }
    if (const auto back = way(member, false)) {
        clock_.arrive(etcd_.clock().now() + *back,
                      [this, call, alive = alive_, answer = std::move(answer)]() mutable {
                          if (*alive && faults.reachable) {
                              call->end(std::move(answer));
                          }
                      });
    }
}

template <class T>
void FakeStore::send(const std::shared_ptr<Call<T>>& call) {
    const auto member = pick_member();
    const auto there = way(member, true);
    if (!there || random_.chance(faults.lose_request)) {
        return;
    }
    const auto late = call->kind == Kind::raft && random_.chance(etcd_.apply_late);
    auto& world = etcd_.clock();
    if (late) {
        const auto then = Nanos(random_.between(0, latest_application.count()));
        world.at(world.now() + then, [call, member] { (void)call->question(member); });
        return;
    }
    world.at(world.now() + *there, [this, call, member, alive = alive_] {
        if (*alive && faults.reachable) {
            arrive(call, member);
        }
    });
}

template <class T>
io::Task<Result<T>> FakeStore::ask(Kind kind, Question<T> question, Patience patience) {
    const auto call = std::make_shared<Call<T>>(etcd_.executor(), kind, std::move(question));
    const auto began = clock_.now();
    const auto limit = clock_.at(began + patience.total, [call] {
        call->end(fail(Errc::timeout, "no answer from the store"));
    });
    const auto hedge = patience.hedge > Nanos{} ? patience.hedge : patience.total / 3;
    io::HostClock::Handle second = 0;
    second = clock_.at(began + hedge, [this, call, alive = alive_] {
        if (*alive && !call->answer) {
            send(call);
        }
    });
    send(call);
    const auto ended = co_await call->done.wait();
    clock_.call_off(limit);
    clock_.call_off(second);
    call->given_up = true;
    if (!ended || !call->answer) {
        co_return fail(Errc::cancelled, "call cancelled");
    }
    co_return *std::move(call->answer);
}

Snapshot FakeStore::view(std::size_t member, const std::string& prefix) {
    const auto& old = etcd_.members.at(member).old_view;
    if (!old) {
        return etcd_.range(prefix);
    }
    Snapshot result{.revision = old->revision, .cluster_id = old->cluster_id};
    std::copy_if(old->keys.begin(), old->keys.end(), std::back_inserter(result.keys),
                 [&](const KeyValue& kv) { return kv.key.starts_with(prefix); });
    return result;
}

io::Task<Result<Snapshot>> FakeStore::get(std::string prefix, bool stale_is_fine,
                                          Patience patience) {
    return ask<Snapshot>(
        stale_is_fine ? Kind::serializable : Kind::linearizable,
        [this, prefix, stale_is_fine](std::size_t member) -> Result<Snapshot> {
            const auto& m = etcd_.members.at(member);
            return stale_is_fine || m.lying ? view(member, prefix) : etcd_.range(prefix);
        },
        patience);
}

// A request may reach the store after its client has ended: these hold the store alone.
io::Task<Result<TxnAnswer>> FakeStore::commit(Txn txn, Patience patience) {
    return ask<TxnAnswer>(
        Kind::raft, [&etcd = etcd_, txn = std::move(txn)](std::size_t) { return etcd.commit(txn); },
        patience);
}

io::Task<Result<Lease>> FakeStore::grant(Seconds ttl, Patience patience) {
    return ask<Lease>(
        Kind::raft, [&etcd = etcd_, ttl](std::size_t) -> Result<Lease> { return etcd.grant(ttl); },
        patience);
}

io::Task<Result<>> FakeStore::keep_alive(LeaseId lease, Patience patience) {
    return ask<void>(
        Kind::keepalive,
        [&etcd = etcd_, lease](std::size_t member) -> Result<> {
            // A stalled member says yes, and the lease runs on.
            return etcd.serves(member) ? etcd.keep_alive(lease) : Result<>{};
        },
        patience);
}

io::Task<Result<>> FakeStore::revoke(LeaseId lease, Patience patience) {
    return ask<void>(
        Kind::raft, [&etcd = etcd_, lease](std::size_t) { return etcd.revoke(lease); }, patience);
}

io::Task<Result<>> FakeStore::compact(Revision revision, Patience patience) {
    return ask<void>(
        Kind::raft, [&etcd = etcd_, revision](std::size_t) { return etcd.compact(revision); },
        patience);
}

io::Task<Result<Space>> FakeStore::space(Patience patience) {
    return ask<Space>(
        Kind::serializable, [&etcd = etcd_](std::size_t) -> Result<Space> { return etcd.space(); },
        patience);
}

std::unique_ptr<Watch> FakeStore::watch(std::string prefix, Revision from) {
    return std::make_unique<FakeWatch>(*this, std::move(prefix), from);
}

}  // namespace howdah::dcs::fake
