#pragma once

#include "io/task.h"

namespace howdah::proxy {

/// For loops under throw_if_cancelled(false): a cancellation ends the await under way, and only
/// that one, so a loop asks before it waits again.
inline io::Task<bool> cancelled() {
    co_return (co_await io::asio::this_coro::cancellation_state).cancelled() !=
        io::asio::cancellation_type::none;
}

}  // namespace howdah::proxy
