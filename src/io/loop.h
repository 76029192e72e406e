#pragma once

#include <csignal>
#include <initializer_list>
#include <memory>

#include "io/task.h"

namespace howdah::io {

/// A thread's event loop: everything spawned on its executor runs in run(), one thing at a time.
class Loop {
public:
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    Executor executor();
    /// Runs `task` to its end, and whatever else is spawned meanwhile; one run after the other. An
    /// exception that leaves it is a bug.
    void run(Task<> task);
    /// Makes run() return; from any thread.
    void stop();

private:
    asio::io_context context_;
};

/// The next of these signals, blocked from their default effect while it is waited for.
class Signals {
public:
    Signals(Executor executor, std::initializer_list<int> numbers);
    ~Signals();
    /// Errors: Errc::cancelled.
    Task<Result<int>> next();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace howdah::io
