#pragma once

#include <string>
#include <string_view>

#include "io/child.h"
#include "io/task.h"

namespace howdah::cli {

inline constexpr std::string_view archive_pusher_verb = "archive-pusher";

/// The agent's part of archiving: it listens below its state directory, and starts a pusher
/// (run_archive_pusher) when somebody asks; what is asked and pushed never touches the agent. The
/// pusher ends when nobody asks any more, and with the agent.
class ArchivePusher {
public:
    /// Errors of listening are told in the log, and archive-push pushes itself: archiving goes on.
    ArchivePusher(io::Clock& clock, const std::string& state_dir, std::string binary);
    ~ArchivePusher();
    ArchivePusher(const ArchivePusher&) = delete;
    ArchivePusher& operator=(const ArchivePusher&) = delete;

    /// Until it is cancelled.
    io::Task<> run();

private:
    io::Task<> serve_once();
    void end_child();

    io::Clock& clock_;
    std::string socket_, binary_;
    io::Fd listener_{};
    pid_t child_ = 0;
};

}  // namespace howdah::cli
