#include "fencer/fencer.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "fencer/guard.h"
#include "fencer/page.h"

namespace howdah::fencer {
namespace {

struct Options {
    std::string state_dir{};
    std::string page{};
    std::string log{};
    char** command = nullptr;
};

Error failed(const std::string& what) {
    return {Errc::io, what + ": " + std::strerror(errno), {}};
}

Result<Options> parse(int argc, char** argv) {
    Options options;
    // argv[0] is the program, argv[1] the verb.
    for (int i = 2; i < argc; ++i) {
        const std::string_view arg = argv[i];
        if (arg == "--" && i + 1 < argc) {
            options.command = argv + i + 1;
            break;
        }
        std::string* value = arg == "--state-dir"       ? &options.state_dir
                             : arg == "--deadline-page" ? &options.page
                             : arg == "--log"           ? &options.log
                                                        : nullptr;
        if (value == nullptr || i + 1 >= argc) {
            return fail(Errc::invalid, "unexpected argument " + std::string(arg));
        }
        *value = argv[++i];
    }
    if (options.state_dir.empty() || options.page.empty() || options.log.empty() ||
        options.command == nullptr) {
        return fail(Errc::invalid,
                    "needs --state-dir D --deadline-page P --log FILE -- /path/postgres ARGS");
    }
    return options;
}

void write_text(const char* path, std::string_view text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, text.data(), text.size());
        close(fd);
    }
}

Privileges take_privileges() {
    Privileges has;
    sched_param fifo{};
    fifo.sched_priority = 1;
    has.realtime = sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo) == 0;
    has.locked = mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
    const int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    has.oom = oom >= 0 && write(oom, "-1000", 5) == 5;
    if (oom >= 0) {
        close(oom);
    }
    return has;
}

/// The lock dies with this process: who gets it knows that no other fencer lives.
Result<> lock_state_dir(const std::string& state_dir) {
    const auto path = state_dir + "/fencer.lock";
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return std::unexpected(failed(path));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return fail(Errc::conflict, "another fencer runs in " + state_dir);
    }
    return {};
}

Result<int> listen_on(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(Errc::invalid,
                    path + ": longer than the " + std::to_string(sizeof address.sun_path - 1) +
                        " bytes that a socket's path may have",
                    "set state_dir to a shorter path");
    }
    path.copy(address.sun_path, path.size());
    unlink(path.c_str());
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const auto mask = umask(0177);
    const bool bound =
        fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    umask(mask);
    if (!bound || listen(fd, 16) != 0) {
        return std::unexpected(failed(path));
    }
    return fd;
}

void redirect_output(const std::string& log) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(null, STDIN_FILENO);
    dup2(out >= 0 ? out : null, STDOUT_FILENO);
    dup2(out >= 0 ? out : null, STDERR_FILENO);
    close(null);
    if (out >= 0) {
        close(out);
    }
}

[[noreturn]] void become_postmaster(char** command, pid_t fencer, int report) {
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != fencer) {
        _exit(127);
    }
    for (int signal = 1; signal < NSIG; ++signal) {
        std::signal(signal, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    write_text("/proc/self/oom_score_adj", "0");
    execv(command[0], command);
    const int error = errno;
    (void)!write(report, &error, sizeof error);
    _exit(127);
}

Result<pid_t> start_postmaster(char** command) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        return std::unexpected(failed("pipe"));
    }
    const pid_t self = getpid();
    const pid_t child = fork();
    if (child == 0) {
        become_postmaster(command, self, report[1]);
    }
    close(report[1]);
    if (child < 0) {
        return std::unexpected(failed("fork"));
    }
    int error = 0;
    const auto got = read(report[0], &error, sizeof error);
    close(report[0]);
    if (got > 0) {
        waitpid(child, nullptr, 0);
        errno = error;
        return std::unexpected(failed(command[0]));
    }
    return child;
}

void tell_starter(int handshake, std::string_view text) {
    (void)!write(handshake, text.data(), text.size());
    close(handshake);
}

Result<int> guard(const Options& options, int handshake) {
    setsid();
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        return std::unexpected(failed("subreaper"));
    }
    HD_TRY_VOID(lock_state_dir(options.state_dir));
    HD_TRY(const auto page, DeadlinePage::open(options.page));
    const auto socket_path = options.state_dir + "/fencer.sock";
    const auto exit_path = options.state_dir + "/fencer.exit";
    unlink(exit_path.c_str());
    HD_TRY(const int listener, listen_on(socket_path));
    redirect_output(options.log);
    const auto privileges = take_privileges();
    auto postmaster = start_postmaster(options.command);
    if (!postmaster) {
        unlink(socket_path.c_str());
        return std::unexpected(std::move(postmaster).error());
    }
    Guard loop({.postmaster = *postmaster,
                .listener = listener,
                .socket_path = socket_path.c_str(),
                .exit_path = exit_path.c_str(),
                .privileges = privileges},
               page);
    tell_starter(handshake, "ok");
    return loop.run();
}

/// What the fencer says once it runs: nothing but "ok" is success.
int await_start(int handshake) {
    std::string answer;
    char part[512];
    ssize_t got = 0;
    while ((got = read(handshake, part, sizeof part)) > 0) {
        answer.append(part, static_cast<std::size_t>(got));
    }
    if (answer == "ok") {
        return 0;
    }
    dprintf(STDERR_FILENO, "%s\n",
            answer.empty() ? "the fencer ended before it was ready" : answer.c_str());
    return 1;
}

}  // namespace

int run(int argc, char** argv) {
    const auto options = parse(argc, argv);
    if (!options) {
        dprintf(STDERR_FILENO, "howdah fencer: %s\n", options.error().message.c_str());
        return 2;
    }
    int handshake[2];
    if (pipe2(handshake, O_CLOEXEC) != 0) {
        return 1;
    }
    const pid_t child = fork();
    if (child != 0) {
        close(handshake[1]);
        return child < 0 ? 1 : await_start(handshake[0]);
    }
    close(handshake[0]);
    const auto code = guard(*options, handshake[1]);
    if (!code) {
        tell_starter(handshake[1], code.error().message);
    }
    _exit(code.value_or(1));
}

}  // namespace howdah::fencer
