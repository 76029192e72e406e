#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace howdah::cli {

/// While it lives, SIGHUP, SIGINT and SIGTERM end the process with pgBackRest's exit code 63,
/// after `tell` has been called with the signal's name. What the process holds (locks, the session
/// that a backup began in) ends with it. Not for verbs that PostgreSQL runs: it looks for the
/// signal itself. Make it before other threads, which inherit that they are not interrupted.
class EndOnSignal {
public:
    explicit EndOnSignal(std::function<void(const char* signal)> tell);
    ~EndOnSignal();
    EndOnSignal(const EndOnSignal&) = delete;
    EndOnSignal& operator=(const EndOnSignal&) = delete;

private:
    sigset_t before_{};
    std::jthread waiting_{};
};

}  // namespace howdah::cli
