#include "ha/settings.h"

#include <fmt/format.h>

namespace howdah::ha {
namespace {

constexpr Seconds shortest_ttl{2};

/// L13: three renewals, the fence and the graceful stop must fit into T.
Result<LeaseTimes> checked(LeaseTimes times) {
    const auto renewals = 3 * times.renew_every();
    const auto needed = renewals + times.fence_budget + times.graceful_budget;
    if (needed > times.ttl) {
        return fail(
            Errc::invalid,
            fmt::format("a lease of {} ms is too short: 3 renewals of {} ms + {} ms to fence + {} "
                        "ms to stop = {} ms",
                        times.ttl.count(), times.renew_every().count(), times.fence_budget.count(),
                        times.graceful_budget.count(), needed.count()),
            "take a longer ttl");
    }
    return times;
}

}  // namespace

Result<LeaseTimes> LeaseTimes::of_profile(std::string_view profile) {
    if (profile == "lan-fast") {
        return checked(
            {.ttl = Millis(2000), .fence_budget = Millis(200), .graceful_budget = Millis(100)});
    }
    if (profile == "default") {
        return checked({});
    }
    if (profile == "wan") {
        return checked(
            {.ttl = Millis(20000), .fence_budget = Millis(500), .graceful_budget = Millis(1500)});
    }
    return fail(Errc::invalid, fmt::format("howdah.lease: \"{}\" is no lease profile", profile),
                "take lan-fast, default or wan");
}

Result<LeaseTimes> LeaseTimes::of_ttl(Seconds ttl) {
    if (ttl < shortest_ttl) {
        return fail(Errc::invalid,
                    fmt::format("ttl: {} s is below the minimum of {} s", ttl.count(),
                                shortest_ttl.count()),
                    "take 2 or more, or remove ttl to use a lease profile");
    }
    if (ttl < Seconds(5)) {
        return checked({.ttl = ttl, .fence_budget = Millis(200), .graceful_budget = Millis(100)});
    }
    return checked({.ttl = ttl, .fence_budget = Millis(500), .graceful_budget = Millis(1500)});
}

}  // namespace howdah::ha
