#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/ports.h"
#include "dcs/kv.h"
#include "ha/term.h"
#include "ha/wake_watch.h"
#include "io/task.h"

namespace howdah::agent {

/// What the keeper knows of this member's leadership: a copy.
struct Keeping {
    std::optional<ha::Tenure>
        tenure{};  ///< set while the term is not over; compare its deadline with now
    bool claim_unresolved = false;
    std::string why_over{};    ///< of the last term
    bool on_promises = false;  ///< the store is silent; the members' promises carry the term
    std::vector<ha::Uuid> promisers{};  ///< whose promises that takes
    std::uint64_t proved_after = 0;     ///< WakeWatch::pauses() when the last proof was asked for
};

/// What a claim writes besides its own identity (safety-model.md, L6, L8).
struct Claim {
    ha::Sighting over{};  ///< the version that it replaces
    ha::Epoch epoch = 0;
    ha::LeaseTimes times{};
    std::string system_id{};
    std::optional<ha::Record> lost{};  ///< the last one seen, where `over` has none to copy from
};

/// The one writer of the record: claims, renews every T/6, changes, gives up. It runs on a thread
/// of its own with its own connection to the store, so that nothing else in the agent delays a
/// renewal. Each confirmed renewal moves the fencer's deadline; a term that ends leaves it where it
/// is.
///
/// All calls are made on the keeper's executor: io::on(keeper.executor(), keeper.claim(...)).
class LeaseKeeper {
public:
    /// `publish` is called on the keeper's executor whenever Keeping changed.
    LeaseKeeper(io::Executor executor, io::Clock& clock, dcs::KeyValueStore& store,
                std::string prefix, Identity identity, Deadlines& deadlines, Durable& durable,
                PromisePeers& peers, Watchdog& watchdog, ha::WakeWatch& wake,
                std::function<void(Keeping)> publish);

    io::Executor executor() const { return executor_; }

    /// Renews while a term is held. Runs until cancelled.
    io::Task<> run();

    /// Errors: Errc::conflict (somebody else wrote first), Errc::unavailable (no answer within T:
    /// the claim may have committed, yet its term is over), Errc::io (epoch not stored; the term is
    /// over).
    io::Task<Result<ha::Tenure>> claim(Claim order);
    /// Commits a changed record. Errors: Errc::conflict (the term is over), Errc::unavailable (no
    /// answer within `limit`; the change rides on with later renewals).
    /// `with`: keys that go in the same transaction.
    io::Task<Result<>> change(std::function<void(ha::Record&)> edit, Nanos limit,
                              std::map<std::string, std::string> with = {});
    /// Writes `released` or `handover` and deletes `leader`. The term is over from the moment of
    /// sending, whatever comes back. PostgreSQL's tree must be proven dead (F1).
    io::Task<Result<>> give_up(std::function<void(ha::Record&)> edit, Nanos limit);
    /// The same, but returns as soon as the term is over; run() waits for the store to confirm it,
    /// for at most `limit`. Until then nothing is claimed here.
    io::Task<Result<>> leave(std::function<void(ha::Record&)> edit, Nanos limit);
    /// Waits until what leave() began is over, for at most `limit`.
    io::Task<> left(Nanos limit);

    /// Renews this term no more and asks nobody for promises: it runs out at its deadline (N3).
    io::Task<Result<>> let_term_end();
    /// The agent's loop turns. Once it has said so, a term is renewed only while it goes on saying
    /// it: not when the last time was T/2 ago. From any thread.
    void turned();

    /// A key that only the holder may write: goes with the next renewal, in its transaction (L2).
    /// From any thread.
    void carry(std::string key, std::string value);

    /// Members of the scope, for when the store falls silent; `may_ask`: the peer lease is on
    /// (safety-model.md, section 10). From any thread.
    void know_peers(std::vector<ha::Member> members, bool may_ask);

    /// While the cluster is paused the fencer is not armed: nobody is stopped (N13). From any
    /// thread.
    void pause(bool paused);

    const Keeping& keeping() const { return keeping_; }

private:
    /// A change that no renewal has confirmed yet. It is made anew on each version that turns out
    /// to stand: what an earlier change committed unseen must not be undone.
    struct Wanted {
        std::function<void(ha::Record&)> edit{};
        std::vector<std::string> sent{};  ///< values of the attempts that have it
    };
    /// The last write of a term that is over already.
    struct Farewell {
        ha::Attempt attempt{};
        std::function<void(ha::Record&)> edit{};
        ha::Epoch epoch = 0;
        Instant until{};
    };
    Result<Farewell> end_with(std::function<void(ha::Record&)> edit, Nanos limit);
    io::Task<Result<>> confirm(Farewell farewell);
    io::Task<> say_farewell();
    bool goes_on_from(Farewell& farewell, const ha::Sighting& found) const;
    bool lets_term_end();
    io::Task<Result<>> renew();
    void drop_what_stands();
    io::Task<> ask_for_promises();
    void proved(Instant sent, std::uint64_t pauses);
    Nanos patience_of_renewal() const;
    io::Task<Result<>> send(ha::Attempt attempt, dcs::Txn txn, Nanos limit);
    io::Task<Result<>> refresh_lease();
    io::Task<> revoke_left_lease();
    io::Task<Result<ha::Tenure>> finish_claim(ha::Epoch epoch);
    ha::Record fresh_record(const Claim& order) const;
    dcs::Txn transaction(const ha::Attempt& attempt, bool keep_leader) const;
    Nanos time_left() const;
    void update();
    bool has_no_deadline() const;
    void end_term(std::string why);

    io::Executor executor_;
    io::Clock& clock_;
    dcs::KeyValueStore& store_;
    std::string record_key_, leader_key_;
    Identity identity_;
    Deadlines& deadlines_;
    Durable& durable_;
    std::function<void(Keeping)> publish_;

    PromisePeers& promise_peers_;
    Watchdog& watchdog_;
    ha::WakeWatch& wake_;
    std::uint64_t proved_after_ = 0;
    std::vector<ha::Member> peers_{};
    bool may_ask_ = false;
    bool paused_ = false;
    std::uint64_t round_ = 0;
    Instant confirmed_{};  ///< sending of the last attempt that the store confirmed
    bool on_promises_ = false;

    ha::LeaseTimes times_{};
    std::optional<ha::Term> term_{};
    ha::AttachedLease lease_{};
    std::int64_t left_lease_ = 0;
    std::vector<std::shared_ptr<Wanted>> wanted_{};
    std::map<std::string, std::string> carried_{};
    std::optional<Farewell> farewell_{};
    bool leaving_ = false;
    bool let_go_ = false;      ///< this term is not renewed any more,
    bool told_of_it_ = false;  ///< and the log says so
    std::atomic<Nanos::rep> turned_ = 0;
    Instant last_sent_{};
    Keeping keeping_{};
    io::Bell bell_;
    io::Turnstile turnstile_;
};

/// A record as the store gave it. Keys absent from `found` are absent.
ha::Sighting sighting(const std::vector<dcs::KeyValue>& found, const std::string& record_key,
                      const std::string& leader_key);

}  // namespace howdah::agent
