#pragma once

#include <string>

#include "base/instant.h"
#include "base/result.h"

namespace howdah::ha {

/// The times of one lease profile (safety-model.md, section 4: table, L7, L13).
struct LeaseTimes {
    Millis ttl{5000};             ///< T
    Millis fence_budget{300};     ///< F
    Millis graceful_budget{300};  ///< G
    Millis promote_budget{500};
    double clock_rate_bound = 0.01;  ///< rho

    Millis renew_every() const { return std::max(ttl / 6, Millis(200)); }
    Millis hedge_after() const { return ttl / 10; }
    /// W = T (1 + 3 rho).
    Millis candidate_wait() const {
        return Millis(static_cast<Millis::rep>(static_cast<double>(ttl.count()) *
                                               (1 + 3 * clock_rate_bound)) +
                      1);
    }
    /// So long before the end of W a candidate asks the others how they stand,
    Millis ask_ahead() const { return ttl / 4; }
    /// waits so long for their answers,
    Millis answer_within() const { return ttl / 5; }
    /// and asks anew when these are older.
    Millis answers_last() const { return ttl / 2; }
    /// A record that has stood unchanged for longer is not renewed as it should be.
    Millis renewal_overdue() const { return ttl / 2; }
    /// TTL of the lease that `leader` carries (L1): for Patroni's tools, never a proof.
    Seconds leader_key_ttl() const {
        return std::max(Seconds((3 * ttl.count() + 999) / 1000), Seconds(30));
    }
    /// How long a watchdog device may wait to be petted (safety-model.md, F5): T - margin, at most
    /// T - 2F, in whole seconds, at least one. `margin` below zero, or one that T has no room for:
    /// T/2.
    Seconds watchdog_timeout(Seconds margin) const {
        const auto wanted = margin < Seconds{} || margin >= ttl ? ttl / 2 : ttl - Millis(margin);
        const auto most = std::min(wanted, ttl - 2 * fence_budget);
        return std::max(std::chrono::duration_cast<Seconds>(most), Seconds(1));
    }
    /// t_grant + TTL / (1 + 3 rho) bounds the deadline (L3).
    Nanos lease_bound(Seconds granted) const {
        return Nanos(static_cast<Nanos::rep>(static_cast<double>(Nanos(granted).count()) /
                                             (1 + 3 * clock_rate_bound)));
    }

    /// `profile` is lan-fast, default or wan. Errors: Errc::invalid.
    static Result<LeaseTimes> of_profile(std::string_view profile);
    /// T = ttl; F and G as of `wan`, below 5 s as of `lan-fast`. Errors: Errc::invalid, with the
    /// arithmetic, when renew * 3 + F + G > T (L13).
    static Result<LeaseTimes> of_ttl(Seconds ttl);
};

}  // namespace howdah::ha
