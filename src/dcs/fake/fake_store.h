#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dcs/fake/fake_etcd.h"

namespace howdah::dcs::fake {

/// What goes wrong between one client and the store. Change at any time.
struct Faults {
    bool reachable = true;
    Nanos min_delay{};  ///< of each of the two ways
    Nanos max_delay{};
    double lose_request = 0;  ///< the caller waits in vain, nothing happened
    double lose_answer = 0;   ///< the caller waits in vain, it happened
    /// How long a packet takes (to or from that member, true: to it); nullopt: it is lost. Instead
    /// of the delays above; nullptr: those.
    std::function<std::optional<Nanos>(std::size_t, bool)> way{};
};

/// One client's connection to a FakeEtcd, which outlives it. It asks any member, and a second one
/// after Patience::hedge.
class FakeStore final : public KeyValueStore {
public:
    FakeStore(FakeEtcd& etcd, std::uint64_t seed);
    /// Of a client that lives on this clock: frozen with it.
    FakeStore(FakeEtcd& etcd, std::uint64_t seed, io::HostClock& clock);
    ~FakeStore() override;

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
    enum class Kind : std::uint8_t { raft, linearizable, serializable, keepalive };
    template <class T>
    struct Call;
    template <class T>
    using Question = std::function<Result<T>(std::size_t member)>;
    template <class T>
    io::Task<Result<T>> ask(Kind kind, Question<T> question, Patience patience);
    template <class T>
    void send(const std::shared_ptr<Call<T>>& call);
    template <class T>
    void arrive(const std::shared_ptr<Call<T>>& call, std::size_t member);
    bool answers(Kind kind, std::size_t member) const;
    Snapshot view(std::size_t member, const std::string& prefix);
    std::size_t pick_member();
    std::optional<Nanos> way(std::size_t member, bool to_store);

    FakeEtcd& etcd_;
    Random random_;
    std::unique_ptr<io::HostClock> own_clock_{};
    io::HostClock& clock_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace howdah::dcs::fake
