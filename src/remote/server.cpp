#include "remote/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <system_error>

#include "base/version.h"
#include "remote/fields.h"

namespace howdah::remote {
namespace {

constexpr Millis tick{1000};

/// The first byte of TLS (RFC 8446, 5.1). Who sends another one is told in plain text what this is.
constexpr unsigned char tls_handshake = 22;

bool speaks_tls(int socket, Millis limit) {
    pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
    unsigned char first = 0;
    if (poll(&waiting, 1, static_cast<int>(limit.count())) != 1 ||
        recv(socket, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        return true;  // the handshake will tell
    }
    return first == tls_handshake;
}

/// Without the port. Of IPv6 the network: a host may have all addresses of its own.
std::string address_of(const sockaddr_storage& from) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (from.ss_family == AF_INET6) {
        auto address = reinterpret_cast<const sockaddr_in6&>(from).sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(&address)) {
            std::fill(address.s6_addr + 8, address.s6_addr + 16, 0);
        }
        inet_ntop(AF_INET6, &address, text.data(), text.size());
    } else {
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(from).sin_addr, text.data(),
                  text.size());
    }
    return text.data();
}

bool is_out_of_something(int why) {
    return why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM;
}

}  // namespace

void Server::Connection::close() {
    const std::scoped_lock lock(mutex);
    if (channel != nullptr) {
        channel->stream().close_from_outside();
    } else if (socket) {
        shutdown(socket.get(), SHUT_RDWR);
    }
}

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
    acceptor_ = {};
    {
        const std::scoped_lock lock(mutex_);
        for (auto& each : connections_) {
            each.close();
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
            accept_one();
        }
        end_late_strangers();
        forget_ended();
        tell_of_dropped();
    }
}

void Server::accept_one() {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    io::Fd socket(
        accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
    if (!socket) {
        if (const auto why = errno; is_out_of_something(why)) {
            no_more_files(why);
        }
        return;
    }
    auto address = address_of(from);
    make_room_for(address);
    begin(std::move(socket), std::move(address));
}

std::size_t Server::count_known() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        connections_, [](const Connection& each) { return !each.stranger && !each.done; }));
}

std::map<std::string, std::size_t> Server::strangers() const {
    std::map<std::string, std::size_t> counts;
    for (const auto& each : connections_) {
        if (each.stranger && !each.dropped && !each.done) {
            ++counts[each.address];
        }
    }
    return counts;
}

Server::Connection* Server::oldest_stranger(const std::string& address) {
    const auto counts = strangers();
    const auto most =
        std::ranges::max_element(counts, {}, [](const auto& of) { return of.second; });
    if (most == counts.end()) {
        return nullptr;
    }
    const auto& whose = address.empty() ? most->first : address;
    const auto found = std::ranges::find_if(connections_, [&](const Connection& each) {
        return each.stranger && !each.dropped && !each.done && each.address == whose;
    });
    return found == connections_.end() ? nullptr : &*found;
}

void Server::drop(Connection& stranger, std::string why) {
    stranger.dropped = true;
    stranger.close();
    count_dropped(stranger, {.code = Errc::unavailable, .message = std::move(why)});
}

void Server::count_dropped(const Connection& stranger, Error why) {
    ++dropped_.count;
    dropped_.last = stranger.address;
    dropped_.why = std::move(why);
}

void Server::make_room_for(const std::string& address) {
    const std::scoped_lock lock(mutex_);
    const auto counts = strangers();
    std::size_t all = 0;
    for (const auto& [whose, count] : counts) {
        all += count;
    }
    const auto own = counts.find(address);
    const bool too_many_of_one =
        own != counts.end() && own->second >= options_.most_strangers_of_one;
    if (too_many_of_one || all >= options_.most_strangers) {
        drop(*oldest_stranger(too_many_of_one ? address : ""),
             "there were too many that had not shown who they are");
    }
}

/// A stranger less gives a file back. Who waits to be accepted goes on to wait: without the pause
/// this thread would do nothing but ask.
void Server::no_more_files(int why) {
    {
        const std::scoped_lock lock(mutex_);
        if (auto* oldest = oldest_stranger("")) {
            drop(*oldest, fmt::format("no more can be accepted: {}; raise the limit of open files "
                                      "(LimitNOFILE)",
                                      std::strerror(why)));
        } else if (!dropped_.told || Clock::now() > *dropped_.told + options_.between_tellings) {
            dropped_.told = Clock::now();
            refused_("", {.code = Errc::unavailable,
                          .message = fmt::format("accept: {}", std::strerror(why)),
                          .hint = "raise the limit of open files (LimitNOFILE)"});
        }
    }
    poll(nullptr, 0, 100);
}

void Server::end_late_strangers() {
    const std::scoped_lock lock(mutex_);
    for (auto& each : connections_) {
        if (each.stranger && !each.dropped && !each.done &&
            Clock::now() > each.began + options_.stranger_limit) {
            drop(each, fmt::format("it had not shown who it is after {} s",
                                   std::chrono::duration<double>(options_.stranger_limit).count()));
        }
    }
}

void Server::tell_of_dropped() {
    Dropped telling;
    {
        const std::scoped_lock lock(mutex_);
        if (dropped_.count == 0 ||
            (dropped_.told && Clock::now() < *dropped_.told + options_.between_tellings)) {
            return;
        }
        telling = std::exchange(dropped_, {.told = Clock::now()});
    }
    if (telling.count > 1) {
        telling.why.message =
            fmt::format("the last of {} that were dropped: {}", telling.count, telling.why.message);
    }
    refused_(telling.last, telling.why);
}

void Server::forget_ended() {
    const std::scoped_lock lock(mutex_);
    connections_.remove_if([](const Connection& each) { return each.done.load(); });
}

void Server::begin(io::Fd socket, std::string address) {
    const std::scoped_lock lock(mutex_);
    // Those that were dropped need a moment to end.
    if (connections_.size() > options_.most_connections + 2 * options_.most_strangers) {
        return;
    }
    auto& connection = connections_.emplace_back(std::move(socket), std::move(address));
    try {
        connection.thread = std::jthread([this, &connection] {
            serve(connection);
            connection.done = true;
        });
    } catch (const std::system_error&) {  // no more threads: as no more files
        connections_.pop_back();
    }
}

void Server::serve(Connection& connection) {
    const auto refuse_stranger = [&](const Error& why) {
        const std::scoped_lock lock(mutex_);
        if (!connection.dropped) {
            count_dropped(connection, why);
        }
    };
    if (!speaks_tls(connection.socket.get(), options_.stranger_limit)) {
        constexpr std::string_view told = "Howdah: this port speaks TLS\n";
        (void)send(connection.socket.get(), told.data(), told.size(), MSG_NOSIGNAL);
        refuse_stranger({.code = Errc::invalid, .message = "somebody who speaks no TLS"});
        connection.close();
        return;
    }
    std::shared_ptr<io::TlsContext> tls;
    {
        const std::scoped_lock lock(mutex_);
        tls = tls_;
    }
    std::optional<Channel> channel;
    {
        const std::scoped_lock lock(connection.mutex);
        channel.emplace(io::SecureStream::accepted(std::move(connection.socket), std::move(tls)),
                        options_.limit);
        connection.channel = &*channel;
    }
    auto& stream = channel->stream();
    const auto known = stream.shake_hands(options_.stranger_limit);
    const auto served = known ? greet_and_serve(connection, *channel) : Result<>{};
    {
        const std::scoped_lock lock(connection.mutex);
        connection.channel = nullptr;
    }
    if (!known) {
        refuse_stranger(known.error());
    } else if (!served && !connection.dropped) {
        refused_(fmt::format("{} ({})", stream.peer().common_name, stream.peer_address()),
                 served.error());
    }
}

Result<> Server::greet_and_serve(Connection& connection, Channel& channel) {
    Json greeting{{"name", "Howdah"},
                  {"service", options_.service},
                  {"protocol", protocol_version},
                  {"version", version}};
    std::size_t count = 0;
    {
        const std::scoped_lock lock(mutex_);
        count = count_known();
    }
    if (count >= options_.most_connections) {
        const Error full{.code = Errc::unavailable,
                         .message = fmt::format("it has {} connections already", count),
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
    connection.stranger = false;
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
