#pragma once

#include <atomic>
#include <cstdint>

#include "base/instant.h"

namespace howdah::ha {

/// Notices that this host or this process may have stood still (safety-model.md, F6): what it knew
/// of others then counts as old until it has been proved anew. Told at wake-ups, from any thread.
class WakeWatch {
public:
    /// Both clocks, read one right after the other. A host that a hypervisor held shows the time
    /// that it missed on the wall clock alone.
    void wake(Instant boot, std::int64_t wall_nanos) {
        const auto apart = wall_nanos - boot.since_boot.count();
        auto before = apart_.load();
        const Nanos moved{before == unknown ? 0 : apart < before ? before - apart : apart - before};
        if (before != unknown && moved < ordinary_drift) {
            return;
        }
        if (apart_.compare_exchange_strong(before, apart) && moved > clocks_agree_within) {
            ++pauses_;
        }
    }
    /// A wake-up asked for at `meant` came at `woke`.
    void overslept(Instant meant, Instant woke, Millis ttl) {
        if (woke - meant > Nanos(ttl) / 2) {
            ++pauses_;
        }
    }
    /// They only count up. What was asked under another count proves nothing.
    std::uint64_t pauses() const { return pauses_; }

private:
    static constexpr Millis clocks_agree_within{250};
    static constexpr Millis ordinary_drift{1};  ///< not worth a write that all threads see
    static constexpr std::int64_t unknown = INT64_MIN;
    std::atomic<std::int64_t> apart_ = unknown;
    std::atomic<std::uint64_t> pauses_ = 0;
};

}  // namespace howdah::ha
