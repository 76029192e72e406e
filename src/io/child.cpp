#include "io/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "io/files.h"
#include "io/readiness.h"

namespace howdah::io {
namespace {

constexpr off_t kept_output = 64 * 1024;

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (const auto& text : texts) {
        result.push_back(const_cast<char*>(text.c_str()));
    }
    result.push_back(nullptr);
    return result;
}

std::vector<std::string> environment_with(const std::vector<std::string>& additions) {
    auto result = additions;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const auto name = text.substr(0, text.find('=') + 1);
        bool replaced = false;
        for (const auto& addition : additions) {
            replaced = replaced || addition.starts_with(name);
        }
        if (!replaced) {
            result.emplace_back(text);
        }
    }
    return result;
}

struct Actions {
    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
    Actions() {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
    }
    Actions(const Actions&) = delete;
    ~Actions() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
};

/// Kills the group and reaps the child unless it has been reaped.
class Guard {
public:
    explicit Guard(pid_t pid) : pid_(pid) {}
    Guard(const Guard&) = delete;
    ~Guard() {
        if (pid_ > 0) {
            ::kill(-pid_, SIGKILL);
            ::kill(pid_, SIGKILL);
            (void)reap();
        }
    }
    int reap() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

private:
    pid_t pid_;
};

std::string last_part(int fd) {
    struct stat status{};
    ::fstat(fd, &status);
    const auto begin = std::max<off_t>(0, status.st_size - kept_output);
    std::string text(static_cast<std::size_t>(status.st_size - begin), '\0');
    const auto n = ::pread(fd, text.data(), text.size(), begin);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
}

/// Memory files instead of pipes: nothing to pump, and a grandchild that keeps one open delays
/// nobody.
Result<Fd> memory_file(std::string_view text) {
    Fd file(::memfd_create("howdah", MFD_CLOEXEC));
    if (!file) {
        return fail_errno("memfd_create");
    }
    while (!text.empty()) {
        const auto n = ::write(file.get(), text.data(), text.size());
        if (n <= 0) {
            return fail_errno("write to a memory file");
        }
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

Result<Fd> output_file(const std::string& log_file) {
    if (log_file.empty()) {
        return memory_file({});
    }
    Fd file(::open(log_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    if (!file) {
        return fail_errno("open " + log_file);
    }
    return file;
}

}  // namespace

Result<Spawned> spawn(const std::vector<std::string>& argv, const SpawnOptions& options) {
    Actions setup;
    const auto attach = [&](int fd, int as, int flags) {
        if (fd >= 0) {
            posix_spawn_file_actions_adddup2(&setup.actions, fd, as);
        } else {
            posix_spawn_file_actions_addopen(&setup.actions, as, "/dev/null", flags, 0);
        }
    };
    attach(options.input, 0, O_RDONLY);
    attach(options.output, 1, O_WRONLY);
    posix_spawn_file_actions_adddup2(&setup.actions, 1, 2);
    posix_spawn_file_actions_addclosefrom_np(&setup.actions, 3);

    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&setup.attributes, &none);
    posix_spawnattr_setsigdefault(&setup.attributes, &all);
    posix_spawnattr_setpgroup(&setup.attributes, 0);
    const int group = options.own_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(&setup.attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK |
                                                                   POSIX_SPAWN_SETSIGDEF | group));

    const auto environment = environment_with(options.environment);
    Spawned result;
    const int code =
        ::posix_spawnp(&result.pid, argv.at(0).c_str(), &setup.actions, &setup.attributes,
                       pointers(argv).data(), pointers(environment).data());
    if (code != 0) {
        return fail(code == ENOENT ? Errc::not_found : Errc::io,
                    "start " + argv[0] + ": " + std::generic_category().message(code));
    }
    result.pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, result.pid, 0)));
    if (!result.pidfd) {
        auto failure = fail_errno("watch " + argv[0]);
        const Guard kill_it(result.pid);
        return failure;
    }
    return result;
}

Task<Result<Output>> run(Clock& clock, std::vector<std::string> argv, RunOptions options,
                         Nanos limit) {
    HD_CO_TRY(const auto output, output_file(options.log_file));
    HD_CO_TRY(const auto input, memory_file(options.input));
    HD_CO_TRY(const auto child, spawn(argv, {.environment = options.environment,
                                             .input = input.get(),
                                             .output = output.get()}));
    Guard guard(child.pid);
    if (auto ended = co_await within(clock, limit, wait_readable(child.pidfd.get())); !ended) {
        co_return std::unexpected(std::move(ended).error().within(argv[0]));
    }
    Output result{.exit_code = guard.reap()};
    if (options.log_file.empty()) {
        result.text = last_part(output.get());
    }
    co_return result;
}

}  // namespace howdah::io
