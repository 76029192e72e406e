#include "cli/backup_jobs.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/child.h"
#include "io/readiness.h"

namespace howdah::cli {
namespace {

constexpr Nanos pause_after_failure = Seconds(5);

}  // namespace

BackupJobs::BackupJobs(io::Clock& clock, const config::AgentConfig& config, std::string binary)
    : clock_(clock), file_(config.file), binary_(std::move(binary)) {}

/// Its jobs are told by the kernel that it has ended.
BackupJobs::~BackupJobs() {
    if (child_ > 0) {
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
    }
}

void BackupJobs::reload() const {
    if (child_ > 0) {
        kill(child_, SIGHUP);
    }
}

io::Task<bool> BackupJobs::run_once() {
    const auto child =
        io::spawn({binary_, "backup-jobs", file_, fmt::format("--parent={}", getpid())},
                  {.output = STDERR_FILENO});
    int status = 0;
    if (child) {
        child_ = child->pid;
        if (!co_await io::wait_readable(child->pidfd.get())) {
            co_return false;
        }
        waitpid(child_, &status, 0);
        child_ = 0;
    }
    spdlog::warn(
        "jobs of the repository host are not answered why=\"{}\"",
        child ? fmt::format("its process ended with status {}", status) : child.error().message);
    co_await io::pause_of(clock_, pause_after_failure);
    co_return true;
}

io::Task<> BackupJobs::run() {
    while (co_await run_once()) {
    }
}

}  // namespace howdah::cli
