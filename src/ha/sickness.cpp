#include "ha/sickness.h"

#include <fmt/format.h>

namespace howdah::ha {
namespace {

/// A new connection is tried every two seconds; a loaded host may take some of them slowly.
constexpr Nanos hangs_after = Seconds(8);

}  // namespace

std::string sickness(const Local& local, Instant now) {
    if (!local.disk_trouble.empty()) {
        return "its disk takes no writes: " + local.disk_trouble;
    }
    if (!local.fencer_trouble.empty()) {
        return "its fencer would not end it at the deadline: " + local.fencer_trouble;
    }
    if (!local.watchdog_trouble.empty()) {
        return "it must have a watchdog: " + local.watchdog_trouble;
    }
    if (local.postmaster && !local.answered.never() && now > local.answered + hangs_after) {
        return fmt::format("its postmaster has answered no new connection for {:.0f} s",
                           to_seconds(now - local.answered));
    }
    return {};
}

Instant sick_from(const Local& local, Instant now) {
    return local.disk_waits_since.never() ? now : local.disk_waits_since;
}

}  // namespace howdah::ha
