#include "remote/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <condition_variable>

#include "base/version.h"
#include "remote/fields.h"

namespace howdah::remote {
namespace {

constexpr Seconds patience_with_strangers{10};  ///< until the greetings are exchanged
constexpr Millis tick{1000};

/// The first byte of TLS (RFC 8446, 5.1). Who sends another one is told in plain text what this is.
constexpr unsigned char tls_handshake = 22;

bool speaks_tls(int socket) {
    pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
    unsigned char first = 0;
    if (poll(&waiting, 1, static_cast<int>(Millis(patience_with_strangers).count())) != 1 ||
        recv(socket, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        return true;  // the handshake will tell
    }
    return first == tls_handshake;
}

}  // namespace

Result<> Server::start() {
    HD_TRY_VOID(reload());
    HD_TRY(listener_, io::listen_tcp(options_.host, options_.port));
    ticker_ = std::jthread([this](const std::stop_token& stop) { say_working(stop); });
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept(stop); });
    return {};
}

Result<> Server::reload() {
    HD_TRY(auto tls, io::tls_server(options_.tls, io::ClientCertificates::required));
    const std::scoped_lock lock(mutex_);
    tls_ = std::move(tls);
    return {};
}

std::uint16_t Server::port() const {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    HD_CHECK(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0);
    return ntohs(own.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&own)->sin6_port
                                           : reinterpret_cast<sockaddr_in*>(&own)->sin_port);
}

Server::~Server() {
    ends_ = true;
    acceptor_ = {};
    {
        const std::scoped_lock lock(mutex_);
        for (auto& each : connections_) {
            const std::scoped_lock one(each.mutex);
            if (each.channel != nullptr) {
                each.channel->stream().close_from_outside();
            }
        }
    }
    ticker_ = {};
    std::list<Connection> ending;
    {
        const std::scoped_lock lock(mutex_);
        ending.swap(connections_);
    }
    ending.clear();  // joins
}

void Server::accept(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        pollfd waiting{.fd = listener_.get(), .events = POLLIN, .revents = 0};
        if (poll(&waiting, 1, 100) == 1) {
            io::Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (socket && has_room()) {
                begin(std::move(socket));
            }
        }
        forget_ended();
    }
}

/// Who is one too many is told so after the greeting; many more are not even listened to.
bool Server::has_room() {
    constexpr std::size_t strangers = 50;
    const std::scoped_lock lock(mutex_);
    return connections_.size() < options_.most_connections + strangers;
}

void Server::forget_ended() {
    const std::scoped_lock lock(mutex_);
    connections_.remove_if([](const Connection& each) { return each.done.load(); });
}

void Server::begin(io::Fd socket) {
    const std::scoped_lock lock(mutex_);
    auto& connection = connections_.emplace_back();
    connection.thread = std::jthread([this, &connection, socket = std::move(socket)]() mutable {
        serve(connection, std::move(socket));
        connection.done = true;
    });
}

void Server::serve(Connection& connection, io::Fd socket) {
    if (!speaks_tls(socket.get())) {
        constexpr std::string_view told = "Howdah: this port speaks TLS\n";
        (void)send(socket.get(), told.data(), told.size(), MSG_NOSIGNAL);
        refused_("", {.code = Errc::invalid, .message = "somebody who speaks no TLS"});
        return;
    }
    std::shared_ptr<io::TlsContext> tls;
    {
        const std::scoped_lock lock(mutex_);
        tls = tls_;
    }
    auto stream = io::SecureStream::accept(std::move(socket), tls, patience_with_strangers);
    if (!stream) {
        refused_("", stream.error());
        return;
    }
    Channel channel(*std::move(stream), options_.limit);
    {
        const std::scoped_lock lock(connection.mutex);
        connection.channel = &channel;
    }
    if (ends_) {
        channel.stream().close_from_outside();
    }
    const auto served = greet_and_serve(channel);
    {
        const std::scoped_lock lock(connection.mutex);
        connection.channel = nullptr;
    }
    if (!served) {
        const auto& peer = channel.stream().peer();
        refused_(fmt::format("{} ({})", peer.common_name, channel.stream().peer_address()),
                 served.error());
    }
}

Result<> Server::greet_and_serve(Channel& channel) {
    Json greeting{{"name", "Howdah"},
                  {"service", options_.service},
                  {"protocol", protocol_version},
                  {"version", version}};
    std::size_t count = 0;
    {
        const std::scoped_lock lock(mutex_);
        count = connections_.size();
    }
    if (count > options_.most_connections) {
        const Error full{.code = Errc::unavailable,
                         .message = fmt::format("it has {} connections already", count - 1),
                         .hint = "lower process-max"};
        greeting["error"] = to_json(full);
        (void)channel.send_line(greeting);
        return std::unexpected(full);
    }
    HD_TRY_VOID(channel.send_line(greeting));
    HD_TRY(const auto hello, channel.receive_line());
    if (number_in(hello, "protocol") != protocol_version) {
        const Error other{.code = Errc::invalid,
                          .message = fmt::format("this host's Howdah {} speaks protocol {}",
                                                 version, protocol_version),
                          .hint = "install the same version on both hosts"};
        (void)channel.send({{"error", to_json(other)}});
        return std::unexpected(other);
    }
    auto service = open_(channel.stream().peer(), hello);
    if (!service) {
        (void)channel.send({{"error", to_json(service.error())}});
        return std::unexpected(service.error());
    }
    HD_TRY_VOID(channel.send((*service)->welcome()));
    (*service)->serve(channel);
    return {};
}

void Server::say_working(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any ended;
    std::unique_lock waiting(mutex);
    while (!ended.wait_for(waiting, stop, tick, [] { return false; }) && !stop.stop_requested()) {
        const std::scoped_lock lock(mutex_);
        for (auto& each : connections_) {
            const std::scoped_lock one(each.mutex);
            if (each.channel != nullptr) {
                each.channel->say_working();
            }
        }
    }
}

}  // namespace howdah::remote
