#include "io/task.h"

#include <boost/asio/multiple_exceptions.hpp>
#include <ctime>

namespace howdah::io {
namespace {

Nanos read_clock(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return Seconds(t.tv_sec) + Nanos(t.tv_nsec);
}

}  // namespace

bool is_cancellation(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted;
    } catch (const asio::multiple_exceptions& e) {
        return is_cancellation(e.first_exception());
    } catch (...) {
        return false;
    }
}

Task<> Scope::close() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    for (auto it = running_.begin(); it != running_.end();) {
        (it++)->emit(asio::cancellation_type::terminal);
    }
    while (!running_.empty()) {
        co_await idle_.async_wait(as_result);
    }
}

Task<> until_cancelled() {
    asio::steady_timer never(co_await asio::this_coro::executor);
    never.expires_at(asio::steady_timer::time_point::max());
    while ((co_await asio::this_coro::cancellation_state).cancelled() ==
           asio::cancellation_type::none) {
        co_await never.async_wait(as_result);
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
}

Task<Result<>> Bell::rung() {
    if (!rung_) {
        co_await timer_.async_wait(as_result);
    }
    if (!rung_) {
        co_return fail(Errc::cancelled, "wait cancelled");
    }
    co_return Result<>{};
}

Task<bool> Bell::wait_until(Instant when) {
    if (!rung_) {
        (void)co_await within(clock_, when - clock_.now(), rung());
    }
    co_return std::exchange(rung_, false);
}

Task<Turnstile::Turn> Turnstile::take() {
    while (taken_) {
        (void)co_await free_.async_wait(as_result);
    }
    taken_ = true;
    co_return Turn(*this);
}

Instant SystemClock::now() const {
    return Instant{read_clock(CLOCK_BOOTTIME)};
}

std::int64_t SystemClock::wall_nanos() const {
    return read_clock(CLOCK_REALTIME).count();
}

Task<Result<>> SystemClock::until(Instant when) {
    // Steady timers stop while the host sleeps: look again after each one.
    while (true) {
        const auto left = when - now();
        if (left <= Nanos{}) {
            co_return Result<>{};
        }
        asio::steady_timer timer(co_await asio::this_coro::executor,
                                 std::chrono::duration_cast<asio::steady_timer::duration>(
                                     std::min<Nanos>(left, Seconds(3600))));
        const auto [ec] = co_await timer.async_wait(as_result);
        if (ec) {
            co_return fail(Errc::cancelled, "wait cancelled");
        }
    }
}

}  // namespace howdah::io
