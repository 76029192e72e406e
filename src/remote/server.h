#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "io/fd.h"
#include "io/secure_stream.h"
#include "remote/channel.h"

namespace howdah::remote {

/// What one connection is served with, made from its client's certificate and hello.
class Service {
public:
    virtual ~Service() = default;
    /// What the client is told first.
    virtual Json welcome() = 0;
    /// Answers until the client has gone; then it returns.
    virtual void serve(Channel& channel) = 0;
};

struct ServerOptions {
    std::string service{};  ///< what clients must look for: "repository host"
    std::string host{};     ///< to listen on, as io::listen_tcp
    std::uint16_t port = default_port;
    io::TlsFiles tls{};
    Millis limit = std::chrono::minutes(1);  ///< nothing moves for so long: the client has gone
    std::size_t most_connections = 500;
};

/// Accepts clients that have a certificate of our CA, a thread each.
class Server {
public:
    /// Errors: why this client is not served.
    using Open = std::function<Result<std::unique_ptr<Service>>(const io::PeerNames& peer,
                                                                const Json& hello)>;
    /// Told of clients that were refused, and why.
    using Refused = std::function<void(const std::string& who, const Error& why)>;

    Server(ServerOptions options, Open open, Refused refused)
        : options_(std::move(options)), open_(std::move(open)), refused_(std::move(refused)) {}
    /// Ends all connections, and waits until what they do has ended.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Listens, and accepts from now on. Errors: as io::listen_tcp; Errc::invalid with the file of
    /// a certificate that cannot be read.
    Result<> start();
    /// Reads the certificates anew, for connections that come. Errors: as start(); then the old
    /// ones stay.
    Result<> reload();
    /// Where it listens: options' port, or the one that the system chose for 0.
    std::uint16_t port() const;

private:
    struct Connection {
        std::atomic<bool> done{false};
        std::mutex mutex{};
        Channel* channel = nullptr;  ///< while it is open
        std::jthread thread{};
    };

    void accept(const std::stop_token& stop);
    void begin(io::Fd socket);
    void serve(Connection& connection, io::Fd socket);
    Result<> greet_and_serve(Channel& channel);
    void say_working(const std::stop_token& stop);
    bool has_room();
    void forget_ended();

    ServerOptions options_;
    Open open_;
    Refused refused_;
    io::Fd listener_{};
    std::mutex mutex_{};
    std::shared_ptr<io::TlsContext> tls_{};
    std::list<Connection> connections_{};
    std::atomic<bool> ends_{false};
    std::jthread ticker_{}, acceptor_{};
};

}  // namespace howdah::remote
