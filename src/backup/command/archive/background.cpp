#include "backup/command/archive/background.h"

#include <poll.h>

#include <algorithm>

#include "backup/lock_file.h"
#include "io/child.h"

namespace howdah::backup {
namespace {

constexpr int moment_ms = 10;

}  // namespace

bool Background::is_at_work() const {
    const auto& options = site_.options;
    std::vector<std::uint32_t> indexes;
    for (const auto& repository : site_.repositories) {
        indexes.push_back(repository.index());
    }
    return std::ranges::any_of(
        lock_paths(options.lock_path, options.stanza, LockKind::archive, indexes), is_locked);
}

Result<> Background::start(const std::vector<std::string>& arguments) {
    const auto& options = site_.options;
    std::vector argv{site_.program, options.command + ":async"};
    argv.insert(argv.end(), options.option_words.begin(), options.option_words.end());
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    HD_TRY(auto child, io::spawn(argv, {.own_session = true}));
    pidfd_ = std::move(child.pidfd);
    return {};
}

bool Background::ended() const {
    pollfd it{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    return pidfd_ && poll(&it, 1, 0) == 1;
}

void Background::wait() const {
    pollfd it{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    poll(&it, pidfd_ ? 1 : 0, moment_ms);
}

}  // namespace howdah::backup
