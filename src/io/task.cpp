#include "io/task.h"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
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

std::unexpected<Error> out_of_time(Nanos limit) {
    return fail(Errc::timeout, "no answer in " + std::to_string(to_millis(limit).count()) + " ms");
}

Task<> pause_of(Clock& clock, Nanos limit) {
    (void)co_await clock.until(clock.now() + limit);
}

Task<bool> ends_before(Task<> task, Task<> other) {
    using namespace asio::experimental::awaitable_operators;
    const auto first = co_await (std::move(task) || std::move(other));
    co_return first.index() == 0;
}

void Scope::spawn(std::move_only_function<Task<>()> body) {
    auto stop = running_.emplace(running_.end());
    auto done = [this, stop](std::exception_ptr error) {
        running_.erase(stop);
        if (running_.empty()) {
            idle_.wake_all();
        }
        if (error && !is_cancellation(error)) {
            std::rethrow_exception(error);
        }
    };
    asio::co_spawn(executor_, std::move(body),
                   asio::bind_cancellation_slot(stop->slot(), std::move(done)));
}

void Scope::spawn(Task<> task) {
    spawn([task = std::move(task)]() mutable { return std::move(task); });
}

Task<> Scope::close() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    for (auto it = running_.begin(); it != running_.end();) {
        (it++)->emit(asio::cancellation_type::terminal);
    }
    while (!running_.empty()) {
        co_await idle_.wait();
    }
}

Task<> until_cancelled() {
    Parking never(co_await asio::this_coro::executor);
    while ((co_await asio::this_coro::cancellation_state).cancelled() ==
           asio::cancellation_type::none) {
        co_await never.wait();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
}

Task<bool> Bell::wait_until(Instant when) {
    if (!rung_ && when > clock_.now()) {
        const auto alarm =
            clock_.call_at(waiting_.executor(), when, [this] { waiting_.wake_all(); });
        co_await waiting_.wait();
    }
    co_return std::exchange(rung_, false);
}

Task<Turnstile::Turn> Turnstile::take() {
    while (taken_) {
        co_await free_.wait();
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

namespace {

class SystemAlarm final : public Clock::Alarm {
public:
    SystemAlarm(const Clock& clock, Executor executor, Instant when, std::function<void()> then)
        : clock_(clock), timer_(executor), when_(when), then_(std::move(then)) {
        wait();
    }

private:
    // As in until(): the steady clock stops while the host sleeps.
    void wait() {
        const auto left = std::clamp<Nanos>(when_ - clock_.now(), Nanos{}, Seconds(3600));
        timer_.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(left));
        timer_.async_wait([this, alive = std::weak_ptr(alive_)](boost::system::error_code) {
            if (alive.expired()) {
                return;
            }
            if (clock_.now() < when_) {
                return wait();
            }
            const auto then = then_;  // it may destroy this alarm
            then();
        });
    }

    const Clock& clock_;
    asio::steady_timer timer_;
    Instant when_;
    std::function<void()> then_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Clock::Alarm> SystemClock::call_at(Executor executor, Instant when,
                                                   std::function<void()> then) {
    return std::make_unique<SystemAlarm>(*this, std::move(executor), when, std::move(then));
}

}  // namespace howdah::io
