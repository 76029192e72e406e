#include "backup/jobs/job_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "backup/jobs/job.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

constexpr Seconds patience{10};  ///< of a job that was told to end
constexpr std::size_t longest_line = std::size_t{64} << 10;

}  // namespace

Result<std::unique_ptr<JobProcess>> JobProcess::begin(const std::vector<std::string>& words) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        return io::fail_errno("make a pipe");
    }
    io::Fd read_end(ends[0]), write_end(ends[1]);
    HD_TRY(auto child,
           io::spawn(words, {.environment = {fmt::format("{}={}", job_variable, getpid())},
                             .output = write_end.get()}));
    return std::unique_ptr<JobProcess>(new JobProcess(std::move(child), std::move(read_end)));
}

JobProcess::~JobProcess() {
    if (child_.pid > 0) {
        (void)end();
    }
}

Result<std::optional<std::vector<std::string>>> JobProcess::lines(Millis limit) {
    pollfd waiting{.fd = output_.get(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, static_cast<int>(limit.count())) != 1) {
        return std::vector<std::string>();
    }
    std::array<char, 4096> part{};
    const auto got = ::read(output_.get(), part.data(), part.size());
    if (got == 0) {
        return std::nullopt;
    }
    if (got < 0 && errno != EINTR) {
        return io::fail_errno("read what the job says");
    }
    said_.append(part.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    std::vector<std::string> whole;
    for (auto end = said_.find('\n'); end != std::string::npos; end = said_.find('\n')) {
        whole.push_back(said_.substr(0, end));
        said_.erase(0, end + 1);
    }
    if (said_.size() > longest_line) {
        whole.push_back(std::exchange(said_, {}));
    }
    return whole;
}

int JobProcess::reap() {
    int status = 0;
    while (waitpid(child_.pid, &status, 0) < 0 && errno == EINTR) {
    }
    child_.pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int JobProcess::end() {
    kill(-child_.pid, SIGTERM);
    pollfd waiting{.fd = child_.pidfd.get(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, static_cast<int>(Millis(patience).count())) != 1) {
        kill(-child_.pid, SIGKILL);
    }
    return reap();
}

}  // namespace howdah::backup
