#include "dcs/fake/fake_store.h"

#include <algorithm>

namespace howdah::dcs::fake {
namespace {

constexpr Nanos look_again =
    Millis(200);  ///< how soon a watch notices that it can reach the store again

}  // namespace

/// Sees each change after the client's delay, and nothing while the store is out of reach.
class FakeWatch final : public Watch {
public:
    FakeWatch(FakeStore& store, std::string prefix, Revision from)
        : store_(store),
          prefix_(std::move(prefix)),
          from_(from),
          bell_(store.etcd_.executor(), store.etcd_.clock()),
          place_(store.etcd_.listeners.insert(store.etcd_.listeners.end(), &bell_)) {}
    ~FakeWatch() override { store_.etcd_.listeners.erase(place_); }

    io::Task<Result<std::vector<Event>>> next() override {
        auto& clock = store_.etcd_.clock();
        while (true) {
            if (store_.faults.reachable) {
                HD_CO_TRY(const auto there, store_.etcd_.events(prefix_, from_));
                if (!there.empty()) {
                    if (!co_await clock.until(clock.now() + store_.delay())) {
                        co_return fail(Errc::cancelled, "watch cancelled");
                    }
                }
                if (!there.empty() && store_.faults.reachable) {
                    from_ = there.back().kv.mod_revision + 1;
                    co_return there;
                }
            }
            if (!co_await sleep()) {
                co_return fail(Errc::cancelled, "watch cancelled");
            }
        }
    }

private:
    /// Until something may have changed. False when cancelled.
    io::Task<bool> sleep() {
        auto& etcd = store_.etcd_;
        auto& clock = etcd.clock();
        if (!store_.faults.reachable) {
            const auto slept = co_await clock.until(clock.now() + look_again);
            co_return slept.has_value();
        }
        const auto expiry = etcd.next_expiry();
        const auto wake = expiry.never() ? clock.now() + Seconds(3600) : expiry;
        co_await bell_.wait_until(wake);
        co_return (co_await io::asio::this_coro::cancellation_state).cancelled() ==
            io::asio::cancellation_type::none;
    }

    FakeStore& store_;
    std::string prefix_;
    Revision from_;
    io::Bell bell_;
    std::list<io::Bell*>::iterator place_;
};

Nanos FakeStore::delay() {
    return Nanos(random_.between(faults.min_delay.count(),
                                 std::max(faults.min_delay, faults.max_delay).count()));
}

template <class T>
io::Task<Result<T>> FakeStore::ask(std::function<Result<T>()> question, Nanos limit) {
    auto& clock = etcd_.clock();
    const auto deadline = clock.now() + limit;
    const auto arrives = clock.now() + delay();
    const bool lost = random_.chance(faults.lose_request);
    const bool answer_lost = random_.chance(faults.lose_answer);
    if (!faults.reachable || lost || arrives >= deadline) {
        HD_CO_TRY_VOID(co_await clock.until(deadline));
        co_return fail(Errc::timeout, "no answer from the store");
    }
    HD_CO_TRY_VOID(co_await clock.until(arrives));
    if (!faults.reachable) {
        HD_CO_TRY_VOID(co_await clock.until(deadline));
        co_return fail(Errc::timeout, "no answer from the store");
    }
    auto answer = question();
    const auto comes_back = clock.now() + delay();
    HD_CO_TRY_VOID(co_await clock.until(answer_lost ? deadline : std::min(comes_back, deadline)));
    if (answer_lost || comes_back > deadline || !faults.reachable) {
        HD_CO_TRY_VOID(co_await clock.until(deadline));
        co_return fail(Errc::timeout, "no answer from the store");
    }
    co_return answer;
}

io::Task<Result<Snapshot>> FakeStore::get(std::string prefix, bool stale_is_fine,
                                          Patience patience) {
    const bool stale = stale_is_fine && faults.stale_reads;
    std::function<Result<Snapshot>()> question = [this, prefix, stale]() -> Result<Snapshot> {
        return stale ? etcd_.range_at(prefix, faults.stale_revision) : etcd_.range(prefix);
    };
    return ask(std::move(question), patience.total);
}

io::Task<Result<TxnAnswer>> FakeStore::commit(Txn txn, Patience patience) {
    std::function<Result<TxnAnswer>()> question = [this, txn = std::move(txn)] {
        return etcd_.commit(txn);
    };
    return ask(std::move(question), patience.total);
}

io::Task<Result<Lease>> FakeStore::grant(Seconds ttl, Patience patience) {
    std::function<Result<Lease>()> question = [this, ttl]() -> Result<Lease> {
        return etcd_.grant(ttl);
    };
    return ask(std::move(question), patience.total);
}

io::Task<Result<>> FakeStore::keep_alive(LeaseId lease, Patience patience) {
    std::function<Result<>()> question = [this, lease] { return etcd_.keep_alive(lease); };
    return ask(std::move(question), patience.total);
}

io::Task<Result<>> FakeStore::revoke(LeaseId lease, Patience patience) {
    std::function<Result<>()> question = [this, lease] { return etcd_.revoke(lease); };
    return ask(std::move(question), patience.total);
}

io::Task<Result<>> FakeStore::compact(Revision revision, Patience patience) {
    std::function<Result<>()> question = [this, revision] { return etcd_.compact(revision); };
    return ask(std::move(question), patience.total);
}

io::Task<Result<Space>> FakeStore::space(Patience patience) {
    std::function<Result<Space>()> question = [this]() -> Result<Space> { return etcd_.space(); };
    return ask(std::move(question), patience.total);
}

std::unique_ptr<Watch> FakeStore::watch(std::string prefix, Revision from) {
    return std::make_unique<FakeWatch>(*this, std::move(prefix), from);
}

}  // namespace howdah::dcs::fake
