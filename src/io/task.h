#pragma once

// Coroutines on Asio, in the few words that the rest of the house uses. Boost stays behind io/.
//
// Rules (docs/decisions/0002-coroutines.md): parameters by value; a lambda may start a coroutine
// but not be one; every await on the outside world sits in within(); never detach, spawn in a
// Scope; no co_await in a catch block and no lock held over one.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/instant.h"
#include "base/result.h"
#include "io/parking.h"

namespace howdah::io {

namespace asio = boost::asio;

template <class T = void>
using Task = asio::awaitable<T>;
using Executor = asio::any_io_executor;

inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// Time as a component sees it: the real one, or the simulator's. One per thread of coroutines.
class Clock {
public:
    virtual ~Clock() = default;
    /// CLOCK_BOOTTIME.
    virtual Instant now() const = 0;
    /// Wall time in nanoseconds since 1970, for people and logs only.
    virtual std::int64_t wall_nanos() const = 0;
    /// Returns at `when` or later; at once if that has passed. Errors: Errc::cancelled.
    virtual Task<Result<>> until(Instant when) = 0;

    /// Calls back once; destroying it calls it off.
    class Alarm {
    public:
        virtual ~Alarm() = default;
    };
    /// Calls `then` on `executor` at `when` or later, soon if that has passed; never from in here.
    virtual std::unique_ptr<Alarm> call_at(Executor executor, Instant when,
                                           std::function<void()> then) = 0;
};

/// The error of what took longer than `limit`: Errc::timeout.
std::unexpected<Error> out_of_time(Nanos limit);
/// Ends after `limit`, or when cancelled.
Task<> pause_of(Clock& clock, Nanos limit);
/// Runs both; when one has ended the other is cancelled and waited for. True when `task` was the
/// first. Neither may throw: a throwing one would be waited for until the other ends.
Task<bool> ends_before(Task<> task, Task<> other);

template <class T>
Task<> keep_result(Task<T> task, std::optional<T>& out) {
    out = co_await std::move(task);
}

/// Runs `task`, cancelling it after `limit`. Errors: Errc::timeout, or what `task` returns.
/// `task` doesn't throw.
template <class T>
Task<Result<T>> within(Clock& clock, Nanos limit, Task<Result<T>> task) {
    std::optional<Result<T>> result;
    if (!co_await ends_before(keep_result(std::move(task), result), pause_of(clock, limit))) {
        co_return out_of_time(limit);
    }
    co_return *std::move(result);
}

/// True for the exception with which Asio ends a cancelled coroutine.
bool is_cancellation(const std::exception_ptr& error);

/// A nursery: what is spawned here ends before `co_await close()` returns. One strand; no locks.
/// An exception that leaves a spawned coroutine is a bug: it leaves io_context::run() and ends the
/// process.
class Scope {
public:
    explicit Scope(Executor executor) : executor_(executor), idle_(executor) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { HD_CHECK(running_.empty()); }

    /// Runs the coroutine that `body` starts; `body` lives as long as that coroutine.
    void spawn(std::move_only_function<Task<>()> body);
    void spawn(Task<> task);

    /// Cancels what runs and waits for its end.
    Task<> close();

    Executor executor() const { return executor_; }
    bool idle() const { return running_.empty(); }

private:
    Executor executor_;
    Parking idle_;
    std::list<asio::cancellation_signal> running_;
};

/// Waits for the caller's cancellation, and takes it off: what the caller awaits after this (the
/// close of a Scope) runs to its end.
Task<> until_cancelled();

/// A bell that wakes one waiting coroutine; rings are not counted. Ring it on the executor it was
/// made on.
class Bell {
public:
    Bell(Executor executor, Clock& clock) : clock_(clock), waiting_(executor) {}

    void ring() {
        rung_ = true;
        waiting_.wake_all();
    }

    /// True when it was rung before `when` (or since the last wait), false at `when`.
    Task<bool> wait_until(Instant when);

private:
    Clock& clock_;
    Parking waiting_;
    bool rung_ = false;
};

/// Lets one coroutine at a time through; the others wait in no particular order. One executor.
class Turnstile {
public:
    class Turn {
    public:
        explicit Turn(Turnstile& stile) : stile_(&stile) {}
        Turn(Turn&& other) noexcept : stile_(std::exchange(other.stile_, nullptr)) {}
        Turn& operator=(Turn&&) = delete;
        ~Turn() {
            if (stile_ != nullptr) {
                stile_->taken_ = false;
                stile_->free_.wake_all();
            }
        }

    private:
        Turnstile* stile_;
    };

    explicit Turnstile(Executor executor) : free_(executor) {}
    Task<Turn> take();

private:
    Parking free_;
    bool taken_ = false;
};

/// Runs `task` on `executor` (another thread's, say) and comes back with its result.
template <class T>
Task<T> on(Executor executor, Task<T> task) {
    co_return co_await asio::co_spawn(executor, std::move(task), asio::use_awaitable);
}

/// Lets the calling coroutine's turn end: what was posted before runs first.
inline Task<> yield() {
    co_await asio::post(asio::use_awaitable);
}

/// The real clock; waits on the executor of the coroutine that asks.
class SystemClock final : public Clock {
public:
    Instant now() const override;
    std::int64_t wall_nanos() const override;
    Task<Result<>> until(Instant when) override;
    std::unique_ptr<Alarm> call_at(Executor executor, Instant when,
                                   std::function<void()> then) override;
};

}  // namespace howdah::io
