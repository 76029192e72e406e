#include "io/virtual_clock.h"

namespace howdah::io {

std::int64_t VirtualClock::wall_nanos() const {
    constexpr std::int64_t start_of_2026 = 1'767'225'600;
    return (Nanos(Seconds(start_of_2026)) + now_.since_boot).count();
}

Task<Result<>> VirtualClock::until(Instant when) {
    if (when <= now_) {
        co_return Result<>{};
    }
    Waiter waiter{.timer = asio::steady_timer(co_await asio::this_coro::executor)};
    waiter.timer.expires_at(asio::steady_timer::time_point::max());
    struct Place {
        std::map<Order, Waiter*>& waiters;
        Order order;
        ~Place() { waiters.erase(order); }
    };
    const Place place{waiters_, {when, ++sequence_}};
    waiters_.emplace(place.order, &waiter);
    co_await waiter.timer.async_wait(as_result);
    if (!waiter.fired) {
        co_return fail(Errc::cancelled, "wait cancelled");
    }
    co_return Result<>{};
}

bool VirtualClock::advance(asio::io_context& context) {
    context.restart();
    while (context.poll() > 0) {
        context.restart();
    }
    if (waiters_.empty()) {
        return false;
    }
    const auto [order, waiter] = *waiters_.begin();
    now_ = order.when;
    waiter->fired = true;
    waiters_.erase(order);
    waiter->timer.cancel();
    return true;
}

Instant VirtualClock::next() const {
    return waiters_.empty() ? Instant{} : waiters_.begin()->first.when;
}

}  // namespace howdah::io
