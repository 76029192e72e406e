#pragma once

#include <functional>
#include <optional>

#include "io/loop.h"
#include "io/task.h"

namespace howdah::io {

/// Runs one coroutine to its end on an event loop of its own: for a command that does one thing and
/// ends. `start` makes it on that loop's executor.
template <class T>
T block_on(const std::function<Task<T>(Executor)>& start) {
    Loop loop;
    std::optional<T> out;
    loop.run(keep_result(start(loop.executor()), out));
    HD_CHECK(out.has_value());
    return *std::move(out);
}

}  // namespace howdah::io
