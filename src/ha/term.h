#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "ha/promise.h"
#include "ha/record.h"
#include "ha/settings.h"

namespace howdah::ha {

/// One term of leadership, as far as this process can prove it. Being named in the record is not
/// holding.
struct Tenure {
    Epoch epoch = 0;
    Instant deadline{};  ///< CLOCK_BOOTTIME when the renewal that committed was *sent*, plus T (L3)
    Record record{};     ///< as last committed
    /// An attempt without an answer says something else of claimers or sync set. It may have
    /// committed: nothing may be weakened that it promises.
    bool change_unresolved = false;
    /// An attempt without an answer says `primary`: endpoints may be open for this term.
    bool may_be_primary = false;
    bool operator==(const Tenure&) const = default;
};

/// The lease that an attempt attaches to the `leader` key.
struct AttachedLease {
    std::int64_t id = 0;
    Seconds ttl{};      ///< as granted
    Instant granted{};  ///< before the first byte of the grant was sent
    bool operator==(const AttachedLease&) const = default;
};

/// One write of the record: what the transaction compares and puts.
struct Attempt {
    Sighting over{};  ///< the version that it replaces: its revisions and value are compared (L2)
    Record record{};
    std::string value{};  ///< render(record)
    Instant sent{};       ///< before the first byte is handed to the socket
    AttachedLease lease{};
};

/// What came back. The transaction reads both keys in its failure branch.
struct Committed {
    std::int64_t revision = 0;
};
struct Refused {
    Sighting found{};
    Instant received{};
};

/// The writer's side of the record: claim, renew, change, give up (safety-model.md, L2 to L4, L12).
/// Pure: the caller sends what prepare() returns and tells what came back. An attempt that nobody
/// answered stays possible until an answer rules it out.
class Term {
public:
    enum class State : std::uint8_t {
        claiming,  ///< nothing committed yet
        held,
        over,  ///< for good; only a new Term revives leadership
    };

    /// `over` is the version that the claim replaces.
    Term(Sighting over, LeaseTimes times);

    /// The attempt that writes `next` over the version known last. `next.lease` is set from
    /// `lease`.
    Attempt prepare(Record next, AttachedLease lease, Instant now);
    /// The same value again, after an attempt without an answer (a claim, or L5's second sending).
    Attempt again(Instant now) const;

    void answered(const Attempt& attempt, Committed answer);
    /// L4: adopts an attempt of its own that had committed unseen, notices a bare leader key (the
    /// next prepare() copes), ends the term on another epoch, another incarnation or a foreign
    /// record.
    void answered(const Attempt& attempt, const Refused& answer);
    /// Everybody in `round` promised not to claim (safety-model.md, G3): extends the deadline of a
    /// term that is held as `primary` and not over at `now`. Does nothing else, and revives
    /// nothing. A store that had gone back before the round began is written anew by the next
    /// prepare() (L12).
    void promised(const PromiseRound& round, Instant now);
    /// Who has to promise: the claimers of the last version and of every attempt that may have
    /// committed (G1), without the holder.
    std::vector<Uuid> promisers() const;
    /// Ends the term: deadline passed, or `released`/`handover` is about to be handed to the
    /// socket.
    void end(std::string why);

    State state() const { return state_; }
    /// Why it is over; empty before.
    const std::string& why_over() const { return why_over_; }
    /// Set while held. The deadline may have passed: compare it with now.
    std::optional<Tenure> tenure() const;
    /// The last answer showed a store that lost this term's version: as good as no answer (L12).
    bool store_went_back() const { return went_back_.has_value(); }
    /// Attempts that may have committed unseen: sets are unions while there are any.
    const std::vector<Attempt>& unresolved() const { return unresolved_; }
    /// The lease that the last committed version carries; 0: none yet.
    const AttachedLease& lease() const { return lease_; }
    /// The version known last: the next prepare() replaces it.
    const Sighting& version() const { return base_; }

private:
    void adopt(const Attempt& attempt, Instant sent, std::int64_t revision);

    LeaseTimes times_{};
    State state_ = State::claiming;
    std::string why_over_{};
    Sighting base_{};
    Tenure tenure_{};
    AttachedLease lease_{};
    std::vector<Attempt> unresolved_{};
    std::optional<Refused> went_back_{};  ///< L12: what a store that lost our version showed
};

}  // namespace howdah::ha
