#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>

#include "io/task.h"

namespace howdah::io {

/// Time of a simulation: it stands still while anything can run, then jumps to the next waiter.
class VirtualClock final : public Clock {
public:
    explicit VirtualClock(Instant start = Instant{Seconds(1000)}) : now_(start) {}

    Instant now() const override { return now_; }
    /// The virtual time, counted from 2026-01-01.
    std::int64_t wall_nanos() const override;
    Task<Result<>> until(Instant when) override;

    /// Runs what can run, then jumps to the earliest waiter and wakes it (waiters of one instant in
    /// the order in which they came). False when nobody waits.
    bool advance(asio::io_context& context);
    /// The instant of the earliest waiter; never() when there is none.
    Instant next() const;

private:
    struct Order {
        Instant when{};
        std::uint64_t sequence = 0;
        auto operator<=>(const Order&) const = default;
    };
    struct Waiter {
        asio::steady_timer timer;
        bool fired = false;
    };

    Instant now_;
    std::uint64_t sequence_ = 0;
    std::map<Order, Waiter*> waiters_{};
};

}  // namespace howdah::io
