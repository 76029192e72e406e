#include "fencer/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "fencer/tree.h"

namespace howdah::fencer {
namespace {

constexpr long long nanos_a_milli = 1'000'000;
constexpr long long default_kill_nanos = 5000 * nanos_a_milli;
/// The page is looked at this often; while killing, children that appear are killed this often.
constexpr int page_every_millis = 50;
constexpr int sweep_every_millis = 2;

Instant now() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return {Seconds(t.tv_sec) + Nanos(t.tv_nsec)};
}

int signal_of(std::string_view name) {
    struct Known {
        std::string_view name;
        int signal;
    };
    constexpr std::array known{Known{"INT", SIGINT}, Known{"QUIT", SIGQUIT}, Known{"TERM", SIGTERM},
                               Known{"HUP", SIGHUP}, Known{"USR1", SIGUSR1}};
    for (const auto& [text, signal] : known) {
        if (text == name) {
            return signal;
        }
    }
    return 0;
}

int print_status(char* to, std::size_t size, int wait_status) {
    return WIFSIGNALED(wait_status) ? std::snprintf(to, size, "SIG%d", WTERMSIG(wait_status))
                                    : std::snprintf(to, size, "%d", WEXITSTATUS(wait_status));
}

bool same_user(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

const char* yes_no(bool value) {
    return value ? "yes" : "no";
}

}  // namespace

int Guard::run() {
    if (!open_events()) {
        kill_tree("request");
    }
    while (!dead_) {
        rearm();
        std::array<pollfd, 3 + std::tuple_size_v<decltype(clients_)>> events{};
        events[0] = {signals_, POLLIN, 0};
        events[1] = {timer_, POLLIN, 0};
        events[2] = {start_.listener, POLLIN, 0};
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            events[3 + i] = {clients_[i].fd, POLLIN, 0};
        }
        poll(events.data(), events.size(), killing_ ? sweep_every_millis : page_every_millis);
        // The deadline comes first, whatever else happened.
        check_deadline();
        if ((events[0].revents & POLLIN) != 0) {
            signalfd_siginfo info{};
            (void)!read(signals_, &info, sizeof info);
        }
        reap();
        sweep();
        for (std::size_t i = 0; i < clients_.size() && !dead_; ++i) {
            if (events[3 + i].revents != 0) {
                read_client(clients_[i]);
            }
        }
        if ((events[2].revents & POLLIN) != 0 && !dead_) {
            accept_client();
        }
        answer_the_waiting();
    }
    finish();
    return 0;
}

bool Guard::open_events() {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    signals_ = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    timer_ = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    return signals_ >= 0 && timer_ >= 0;
}

void Guard::rearm() {
    const auto wanted = killing_ ? Instant{} : page_.read();
    if (wanted == armed_) {
        return;
    }
    const auto nanos = wanted.since_boot.count();
    itimerspec when{};
    when.it_value = {.tv_sec = nanos / 1'000'000'000, .tv_nsec = nanos % 1'000'000'000};
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
    armed_ = wanted;
}

void Guard::check_deadline() {
    const auto deadline = page_.read();
    if (!killing_ && !deadline.never() && now() >= deadline) {
        kill_tree("deadline");
    }
}

// Order of F1: a stopped postmaster forks nobody; what slips through becomes our child.
void Guard::kill_tree(const char* reason) {
    if (killing_) {
        return;
    }
    killing_ = true;
    reason_ = reason;
    if (postmaster_alive_) {
        kill(start_.postmaster, SIGSTOP);
        signal_children(start_.postmaster, SIGKILL);
        kill(start_.postmaster, SIGKILL);
    }
}

void Guard::reap() {
    while (true) {
        int status = 0;
        const pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);
        if (pid > 0) {
            if (pid == start_.postmaster) {
                postmaster_alive_ = false;
                wait_status_ = status;
                kill_tree("exited");
            }
            continue;
        }
        dead_ = pid < 0 && errno == ECHILD;
        return;
    }
}

// As subreaper we inherit every orphan of the tree, whatever session it is in.
void Guard::sweep() {
    while (killing_ && !dead_ && signal_children(getpid(), SIGKILL) > 0) {
        const timespec moment{.tv_sec = 0, .tv_nsec = 200'000};
        siginfo_t info{};
        nanosleep(&moment, nullptr);
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
            break;  // nobody died yet: back to the loop, so that clients get their answers
        }
        reap();
    }
}

void Guard::accept_client() {
    const int fd = accept4(start_.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    for (auto& client : clients_) {
        if (client.fd < 0 && same_user(fd)) {
            client = Client{};
            client.fd = fd;
            return;
        }
    }
    close(fd);
}

void Guard::read_client(Client& client) {
    const auto room = client.line.size() - client.used;
    const auto got = recv(client.fd, client.line.data() + client.used, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        drop(client);
        return;
    }
    client.used += static_cast<std::size_t>(got);
    while (client.fd >= 0) {
        const std::string_view all(client.line.data(), client.used);
        const auto end = all.find('\n');
        if (end == std::string_view::npos) {
            break;
        }
        obey(client, all.substr(0, end));
        client.used -= end + 1;
        std::memmove(client.line.data(), client.line.data() + end + 1, client.used);
    }
    if (client.used == client.line.size()) {
        drop(client);
    }
}

void Guard::obey(Client& client, std::string_view line) {
    if (line == "status") {
        tell_status(client);
    } else if (line.starts_with("signal ")) {
        send_signal(client, line.substr(7));
    } else if (line == "kill" || line.starts_with("kill ")) {
        long long millis = 0;
        if (line.size() > 5) {
            std::from_chars(line.data() + 5, line.data() + line.size(), millis);
        }
        const auto limit = millis > 0 ? millis * nanos_a_milli : default_kill_nanos;
        client.waits_for_death = true;
        client.answer_by = now().since_boot.count() + limit;
        kill_tree("request");
    } else {
        say(client, "error unknown request\n");
    }
}

void Guard::send_signal(Client& client, std::string_view name) {
    const int signal = signal_of(name);
    if (signal == 0) {
        say(client, "signal error unknown signal\n");
    } else if (!postmaster_alive_ || kill(start_.postmaster, signal) != 0) {
        say(client, "signal error the postmaster has ended\n");
    } else {
        say(client, "signal ok\n");
    }
}

void Guard::tell_status(Client& client) {
    char text[256];
    const auto& has = start_.privileges;
    const int length = std::snprintf(
        text, sizeof text,
        "status pid=%d state=%s deadline=%lld locked=%s realtime=%s oom=%s reason=%s\n",
        start_.postmaster, killing_ ? "killing" : "running",
        static_cast<long long>(page_.read().since_boot.count()), yes_no(has.locked),
        yes_no(has.realtime), yes_no(has.oom), reason_);
    say(client, {text, static_cast<std::size_t>(length)});
}

void Guard::answer_the_waiting() {
    for (auto& client : clients_) {
        if (client.fd < 0 || !client.waits_for_death) {
            continue;
        }
        if (dead_) {
            say(client, "dead\n");
        } else if (now().since_boot.count() >= client.answer_by) {
            client.waits_for_death = false;
            char text[64];
            const pid_t left = postmaster_alive_ ? start_.postmaster : first_child(getpid());
            const int length = std::snprintf(text, sizeof text, "stuck %d\n", left);
            say(client, {text, static_cast<std::size_t>(length)});
        }
    }
}

void Guard::finish() {
    char status[16];
    print_status(status, sizeof status, wait_status_);
    char text[128];
    const int length = std::snprintf(text, sizeof text, "exit %s %s\n", status, reason_);
    const std::string_view line(text, static_cast<std::size_t>(length));
    // Those who wait hear it first: the disk may be what is broken.
    for (auto& client : clients_) {
        if (client.fd >= 0) {
            say(client, line);
        }
    }
    unlink(start_.socket_path);
    const int fd = open(start_.exit_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        dprintf(fd, "%sboottime %lld\n", text, static_cast<long long>(now().since_boot.count()));
        close(fd);
    }
    dprintf(STDERR_FILENO, "howdah fencer: process tree of postmaster %d is dead: %s",
            start_.postmaster, text);
}

void Guard::say(Client& client, std::string_view text) {
    // A client that doesn't read its few lines is gone or confused.
    if (send(client.fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) !=
        static_cast<ssize_t>(text.size())) {
        drop(client);
    }
}

void Guard::drop(Client& client) {
    close(client.fd);
    client = Client{};
}

}  // namespace howdah::fencer
