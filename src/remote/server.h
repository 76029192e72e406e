#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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
    std::size_t most_connections = 500;      ///< of clients that have greeted
    /// Of those who have not (yet): for how long, and how many at once, of one address and in all.
    Millis stranger_limit = std::chrono::seconds(10);
    std::size_t most_strangers_of_one = 64;
    std::size_t most_strangers = 128;
    /// Of strangers that were refused or dropped the first is told at once, then how many more.
    Millis between_tellings = std::chrono::minutes(1);
};

/// Accepts clients that have a certificate of our CA, a thread each. Who shows none holds nobody
/// else up: one stranger too many costs the oldest of the address that has most its connection.
class Server {
public:
    /// Errors: why this client is not served.
    using Open = std::function<Result<std::unique_ptr<Service>>(const io::PeerNames& peer,
                                                                const Json& hello)>;
    /// Told of clients that were refused, and why; of strangers as between_tellings says.
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
    using Clock = std::chrono::steady_clock;
    struct Connection {
        Connection(io::Fd accepted, std::string from)
            : address(std::move(from)), socket(std::move(accepted)) {}
        /// Ends what its thread waits for. For any thread.
        void close();

        std::string address;  ///< without the port
        Clock::time_point began = Clock::now();
        std::atomic<bool> done{false}, stranger{true};
        std::atomic<bool> dropped{false};  ///< a stranger whom this server has closed
        std::mutex mutex{};
        io::Fd socket;               ///< until there is a channel
        Channel* channel = nullptr;  ///< while it is open
        std::jthread thread{};
    };
    /// What is told of them at once, so that they cannot fill the log.
    struct Dropped {
        std::size_t count = 0;
        std::string last{};  ///< address
        Error why{};         ///< of the last one
        std::optional<Clock::time_point> told{};
    };

    void accept(const std::stop_token& stop);
    void accept_one();
    void begin(io::Fd socket, std::string address);
    void serve(Connection& connection);
    Result<> greet_and_serve(Connection& connection, Channel& channel);
    void say_working(const std::stop_token& stop);
    /// With mutex_ held.
    std::size_t count_known() const;
    void drop(Connection& stranger, std::string why);
    void count_dropped(const Connection& stranger, Error why);
    /// The oldest stranger of that address; of the address that has most, if it is empty.
    Connection* oldest_stranger(const std::string& address);
    std::map<std::string, std::size_t> strangers() const;

    void make_room_for(const std::string& address);
    void no_more_files(int why);
    void end_late_strangers();
    void tell_of_dropped();
    void forget_ended();

    ServerOptions options_;
    Open open_;
    Refused refused_;
    io::Fd listener_{};
    std::mutex mutex_{};
    std::shared_ptr<io::TlsContext> tls_{};
    std::list<Connection> connections_{};
    Dropped dropped_{};
    std::jthread ticker_{}, acceptor_{};
};

}  // namespace howdah::remote
