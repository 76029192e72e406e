#pragma once

#include <exception>
#include <functional>
#include <optional>

#include "io/task.h"

namespace howdah::io {

/// Runs one coroutine to its end on an event loop of its own: for a command that does one thing and ends.
/// `start` makes it on that loop's executor.
template <class T>
T block_on(std::function<Task<T>(Executor)> start) {
    asio::io_context loop(1);
    std::optional<T> out;
    std::exception_ptr failure;
    auto done = [&out, &failure](std::exception_ptr error, T value) {
        failure = error;
        out = std::move(value);
    };
    asio::co_spawn(loop, start(loop.get_executor()), std::move(done));
    loop.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
    return *std::move(out);
}

}  // namespace howdah::io
