#include "cli/archive_pusher.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "backup/command/archive/pusher_socket.h"
#include "io/readiness.h"

namespace howdah::cli {
namespace {

constexpr Nanos pause_after_failure = Seconds(5);

}  // namespace

ArchivePusher::ArchivePusher(io::Clock& clock, const std::string& state_dir, std::string binary)
    : clock_(clock),
      socket_(fmt::format("{}/{}", state_dir, backup::pusher_socket_name)),
      binary_(std::move(binary)) {
    auto listener = backup::listen_for_pushes(socket_);
    if (!listener) {
        spdlog::warn("archive-push gets no help from the agent why=\"{}\"",
                     listener.error().message);
        return;
    }
    listener_ = *std::move(listener);
    // PostgreSQL inherits it, and its archive_command from PostgreSQL.
    setenv("HOWDAH_ARCHIVE_SOCKET", socket_.c_str(), 1);
}

ArchivePusher::~ArchivePusher() {
    end_child();
    if (listener_) {
        unlink(socket_.c_str());
    }
}

/// Those who wait for its answer push themselves.
void ArchivePusher::end_child() {
    if (child_ > 0) {
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
        child_ = 0;
    }
}

io::Task<> ArchivePusher::serve_once() {
    const auto child =
        io::spawn({binary_, std::string(archive_pusher_verb), std::to_string(getpid())},
                  {.input = listener_.get()});
    int status = 0;
    if (child) {
        child_ = child->pid;
        if (!co_await io::wait_readable(child->pidfd.get())) {
            co_return;  // cancelled
        }
        waitpid(child_, &status, 0);
        child_ = 0;
    }
    if (!child || status != 0) {
        spdlog::warn("the archive's pusher ended why=\"{}\"",
                     child ? fmt::format("status {}", status) : child.error().message);
        co_await io::pause_of(clock_, pause_after_failure);
    }
}

io::Task<> ArchivePusher::run() {
    while (listener_ && co_await io::wait_readable(listener_.get())) {
        co_await serve_once();
    }
}

}  // namespace howdah::cli
