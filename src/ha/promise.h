#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "ha/record.h"
#include "ha/settings.h"

namespace howdah::ha {

// The peer lease (safety-model.md, section 10): while the store answers nobody, the holder's term
// goes on as long as every member that could claim promises not to.

/// What the holder asks of a member (G2).
struct PromiseRequest {
    Epoch epoch = 0;
    Uuid incarnation{};
    Uuid holder{};
    std::string holder_name{};
    std::uint64_t round = 0;
    std::vector<Uuid> set{};  ///< everybody who is asked
    std::uint64_t set_version = 0;
    Millis ttl{};  ///< T
    bool operator==(const PromiseRequest&) const = default;
};
std::string render(const PromiseRequest& request);
/// Errors: Errc::corrupt.
Result<PromiseRequest> parse_promise_request(const std::string& json);

struct PromiseAnswer {
    Uuid uuid{};
    std::string name{};
    bool promised = false;
    std::string refused{};  ///< why not
    Epoch epoch = 0;        ///< these three echo the request
    Uuid incarnation{};
    std::uint64_t round = 0;
    bool operator==(const PromiseAnswer&) const = default;
};
std::string render(const PromiseAnswer& answer);
/// Errors: Errc::corrupt.
Result<PromiseAnswer> parse_promise_answer(const std::string& json);

/// What survives a restart of the member. No end is stored: after a restart it counts as given
/// then.
struct StoredPromise {
    Epoch epoch = 0;
    Uuid incarnation{};
    std::uint64_t set_version = 0;
    Millis ttl{};
    bool operator==(const StoredPromise&) const = default;
};

/// What a member knows when it is asked.
struct Promiser {
    Epoch stored_epoch = 0;
    Uuid stored_incarnation{};
    bool may_hold = false;           ///< holds, has an unresolved claim, is promoting or writable
    std::optional<Record> record{};  ///< last seen
};

/// What a member tells an endpoint (G4). A question extends no promise.
struct Vouch {
    Uuid uuid{};
    bool holds = false;  ///< the holder: `remaining` is of its deadline; else of its promise
    Epoch epoch = 0;
    Uuid incarnation{};
    std::vector<Uuid> set{};  ///< who promised besides the holder
    Millis remaining{};       ///< 0: it vouches for nothing
    bool operator==(const Vouch&) const = default;
};
std::string render(const Vouch& vouch);
/// Errors: Errc::corrupt.
Result<Vouch> parse_vouch(const std::string& json);

/// How much longer an endpoint may route to this epoch, from the moment of its first question: the
/// least of what holder and every member of the union of their sets have left, in true time.
/// nullopt: somebody is missing, or speaks of another epoch or incarnation.
std::optional<Nanos> vouched_for(const std::vector<Vouch>& answers, const Record& record,
                                 double clock_rate_bound);

/// Why the promise can't be given; empty: it can (G2).
std::string objection(const PromiseRequest& request, const Promiser& member);

/// Until when a promise that is given now stands: W from the greater of the known T and the
/// asker's.
Instant promised_until(Instant now, const PromiseRequest& request, LeaseTimes known);

/// One round of the holder (G3). An answer counts only for the round that it echoes.
class PromiseRound {
public:
    /// `others`: the union of the claimers of every version that may stand, without the holder.
    PromiseRound(PromiseRequest request, std::vector<Uuid> others, Instant sent);

    void take(const PromiseAnswer& answer);
    /// Everybody said yes; the term lasts until sent() + T.
    bool complete() const;
    Instant sent() const { return sent_; }
    const PromiseRequest& request() const { return request_; }
    /// Who did not promise, and why, for the log.
    std::string why_not() const;

private:
    PromiseRequest request_{};
    std::vector<Uuid> missing_{};
    std::string refused_{};
    Instant sent_{};
};

}  // namespace howdah::ha
