#include "proxy/sockets.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace howdah::proxy {
namespace {

// A peer that vanished is noticed within half a minute, idle or not.
constexpr int keepalive_idle_s = 15;
constexpr int keepalive_interval_s = 5;
constexpr int keepalive_probes = 3;
constexpr int user_timeout_ms = 30000;
constexpr int backlog = 4096;

void set_option(int fd, int level, int option, int value) {
    // Best effort: a socket without keepalive still works.
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

void tune(int fd) {
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
}

std::unexpected<Error> listen_error(const Address& address, int error) {
    const auto port = address.port();
    const auto host = address.host();
    if (error == EADDRINUSE) {
        return fail(
            Errc::io, fmt::format("endpoint: port {} of {} is in use", port, host),
            fmt::format("stop what listens there (ss -ltnp 'sport = :{}') or choose another "
                        "port in section proxy",
                        port));
    }
    return fail(Errc::io,
                fmt::format("endpoint: cannot listen on port {} of {}: {}", port, host,
                            std::strerror(error)),
                error == EADDRNOTAVAIL ? "this address does not belong to this host" : "");
}

}  // namespace

Instant boot_time() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return {Seconds(t.tv_sec) + Nanos(t.tv_nsec)};
}

std::int64_t wall_nanos() {
    timespec t{};
    clock_gettime(CLOCK_REALTIME, &t);
    return Nanos(Seconds(t.tv_sec) + Nanos(t.tv_nsec)).count();
}

Result<Fd> open_listener(const Address& address) {
    Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        return listen_error(address, errno);
    }
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    tune(fd.get());
    if (bind(fd.get(), address.get(), address.length) != 0 || listen(fd.get(), backlog) != 0) {
        return listen_error(address, errno);
    }
    return fd;
}

Result<Fd> begin_connect(const Address& address) {
    Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        return fail(Errc::unavailable, std::strerror(errno));
    }
    tune(fd.get());
    if (connect(fd.get(), address.get(), address.length) != 0 && errno != EINPROGRESS) {
        return fail(Errc::unavailable, std::strerror(errno));
    }
    return fd;
}

int connect_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        return errno;
    }
    return error;
}

void reset_on_close(int fd) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace howdah::proxy
