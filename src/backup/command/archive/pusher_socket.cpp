#include "backup/command/archive/pusher_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <nlohmann/json.hpp>
#include <thread>

#include "io/files.h"

namespace howdah::backup {
namespace {

using std::chrono::milliseconds;

constexpr int protocol = 1;
constexpr std::size_t longest_line = std::size_t{256} << 10;
constexpr std::size_t most_askers = 16;
constexpr milliseconds patience_with_askers{5000};

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(Errc::invalid, fmt::format("{} is longer than the {} bytes that a socket's "
                                               "path may have",
                                               path, sizeof address.sun_path - 1));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

bool is_own_user(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

bool send_line(int socket, const nlohmann::json& line) {
    auto text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    for (std::string_view rest = text; !rest.empty();) {
        const auto sent = send(socket, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        rest.remove_prefix(sent < 0 ? 0 : static_cast<std::size_t>(sent));
    }
    return true;
}

/// Reads line after line.
class Lines {
public:
    Lines(int socket, milliseconds patience) : socket_(socket), patience_(patience) {}

    /// nullopt: the other side has ended, is silent, or says what is no JSON.
    std::optional<nlohmann::json> next() {
        while (true) {
            if (const auto end = buffer_.find('\n'); end != std::string::npos) {
                auto line = nlohmann::json::parse(buffer_.substr(0, end), nullptr, false);
                buffer_.erase(0, end + 1);
                return line.is_object() ? std::optional(std::move(line)) : std::nullopt;
            }
            if (buffer_.size() > longest_line || !read_more()) {
                return std::nullopt;
            }
        }
    }

private:
    bool read_more() {
        pollfd it{.fd = socket_, .events = POLLIN, .revents = 0};
        if (poll(&it, 1, static_cast<int>(patience_.count())) != 1) {
            return false;
        }
        char piece[4096];
        const auto got = recv(socket_, piece, sizeof piece, 0);
        buffer_.append(piece, got > 0 ? static_cast<std::size_t>(got) : 0);
        return got > 0;
    }

    int socket_;
    milliseconds patience_;
    std::string buffer_{};
};

nlohmann::json render(const PushRequest& request) {
    return {{"protocol", protocol},
            {"words", request.words},
            {"environment", request.environment},
            {"path", request.path}};
}

std::optional<PushRequest> parse_request(const nlohmann::json& line) {
    try {
        if (line.at("protocol") != protocol) {
            return std::nullopt;
        }
        return PushRequest{.words = line.at("words"),
                           .environment = line.at("environment"),
                           .path = line.at("path")};
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;  // of another version: it pushes itself
    }
}

/// Whoever is not served sees the connection end, and pushes itself.
void serve(int socket, Pusher& pusher) {
    if (!is_own_user(socket)) {
        return;
    }
    const auto line = Lines(socket, patience_with_askers).next();
    const auto request = line ? parse_request(*line) : std::nullopt;
    if (!request) {
        return;
    }
    const auto pushed = pusher.push(*request, [&] { send_line(socket, {{"working", true}}); });
    for (const auto& warning : pushed ? *pushed : std::vector<std::string>{}) {
        send_line(socket, {{"warning", warning}});
    }
    send_line(socket, {{"pushed", pushed.has_value()}});
}

/// A connection and the thread that serves it.
struct Served {
    io::Fd socket{};
    std::atomic<bool> done = false;
    std::jthread thread{};
};

}  // namespace

Result<io::Fd> listen_for_pushes(const std::string& path) {
    HD_TRY(const auto address, address_of(path));
    io::Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    unlink(path.c_str());
    // Nobody can connect before listen(), so no other user between bind() and chmod().
    if (!listener ||
        bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        chmod(path.c_str(), 0600) != 0 || listen(listener.get(), most_askers) != 0) {
        return io::fail_errno("listen on " + path);
    }
    return listener;
}

Result<> serve_pushes(int listener, Pusher& pusher, milliseconds idle) {
    std::list<Served> all;
    while (true) {
        pollfd it{.fd = listener, .events = POLLIN, .revents = 0};
        const int ready = poll(&it, 1, static_cast<int>(idle.count()));
        all.remove_if([](const Served& each) { return each.done.load(); });
        if (ready == 0 && all.empty()) {
            return {};
        }
        if (ready < 0 && errno != EINTR) {
            return io::fail_errno("wait for those who push");
        }
        io::Fd connection(ready == 1 ? accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) : -1);
        if (!connection || all.size() >= most_askers) {
            continue;
        }
        auto& served = all.emplace_back();
        served.socket = std::move(connection);
        served.thread = std::jthread([&served, &pusher] {
            serve(served.socket.get(), pusher);
            shutdown(served.socket.get(), SHUT_RDWR);
            served.done = true;
        });
    }
}

std::optional<std::vector<std::string>> ask_pusher(const std::string& path,
                                                   const PushRequest& request,
                                                   milliseconds patience) {
    struct stat found{};
    const auto address = address_of(path);
    if (!address || lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode) ||
        found.st_uid != geteuid()) {
        return std::nullopt;
    }
    const io::Fd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // With as many waiting as may, connect() would wait for somebody to be served.
    const timeval limit{
        .tv_sec = std::chrono::duration_cast<std::chrono::seconds>(patience).count(), .tv_usec = 0};
    setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const auto* where = reinterpret_cast<const sockaddr*>(&*address);
    if (!connection || connect(connection.get(), where, sizeof *address) != 0 ||
        !is_own_user(connection.get()) || !send_line(connection.get(), render(request))) {
        return std::nullopt;
    }
    std::vector<std::string> warnings;
    Lines lines(connection.get(), patience);
    while (const auto line = lines.next()) {
        if (line->contains("pushed")) {
            return line->at("pushed") == true ? std::optional(warnings) : std::nullopt;
        }
        if (line->contains("warning") && line->at("warning").is_string()) {
            warnings.push_back(line->at("warning"));
        }
    }
    return std::nullopt;
}

}  // namespace howdah::backup
