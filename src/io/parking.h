#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstddef>
#include <functional>
#include <list>

#include "base/result.h"

namespace howdah::io {

/// Where coroutines of one executor wait until another lets them go on. No timer, no descriptor:
/// it costs the event loop nothing. What is still parked when it dies is never resumed.
class Parking {
public:
    explicit Parking(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
    /// Only while nobody waits.
    Parking(Parking&& other) noexcept : executor_(other.executor_) {
        HD_CHECK(other.parked_.empty());
    }
    Parking& operator=(Parking&&) = delete;

    /// True when woken, false when cancelled.
    boost::asio::awaitable<bool> wait();
    void wake_all();
    bool empty() const { return parked_.empty(); }
    const boost::asio::any_io_executor& executor() const { return executor_; }

private:
    struct One {
        std::move_only_function<void(bool)> handler;
        boost::asio::cancellation_slot slot;
    };
    using Parked = std::list<One>;
    void resume(Parked::iterator one, bool woken);

    boost::asio::any_io_executor executor_;
    Parked parked_{};
};

}  // namespace howdah::io
