#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/instant.h"
#include "base/result.h"
#include "io/secure_stream.h"

/// Howdah's own protocol between a database host and the repository host: TLS with certificates of
/// both, a line of greeting from each side, then messages: a JSON object and raw bytes behind it.
namespace howdah::remote {

using Json = nlohmann::json;

inline constexpr int protocol_version = 1;
inline constexpr std::uint16_t default_port = 8432;
/// Of one message; its bytes, and its JSON.
inline constexpr std::size_t largest_body = std::size_t{1} << 20;
inline constexpr std::size_t largest_head = std::size_t{1} << 20;

struct Message {
    Json head{};
    ByteBuffer body{};
};

/// An error as a message, and back; all its fields are kept.
Json to_json(const Error& error);
Error to_error(const Json& json);

/// One side's end of a connection whose greetings have been exchanged. One thread reads and writes,
/// another may call say_working(). Errors: as io::SecureStream; Errc::corrupt for what is no
/// message.
class Channel {
public:
    Channel(std::unique_ptr<io::SecureStream> stream, Millis limit)
        : stream_(std::move(stream)), limit_(limit) {}

    Result<> send(const Json& head, Bytes body = {});
    /// The next message; Errors: also the one that the other side sent instead.
    Result<Message> receive() { return receive_within(limit_); }
    /// The same when the other side may take long to say anything.
    Result<Message> receive_within(Millis first);
    /// Sends and receives.
    Result<Message> ask(const Json& head, Bytes body = {});

    /// Greetings are lines, so that a program of another protocol can tell what it met.
    Result<> send_line(const Json& greeting);
    Result<Json> receive_line();

    /// Nothing moves for so long: the other side has gone.
    void set_limit(Millis limit) { limit_ = limit; }

    /// From now on this side works on an answer: until it sends one, say_working() tells the other
    /// that it has not died.
    void begin_work();
    /// Sends that when begin_work() was called and nothing was sent for five seconds.
    void say_working();

    bool has_input() {
        const std::scoped_lock lock(mutex_);
        return stream_->has_input();
    }
    io::SecureStream& stream() { return *stream_; }

private:
    Result<> send_locked(const Json& head, Bytes body, Millis limit);
    Result<Message> receive_one(Millis first);

    std::unique_ptr<io::SecureStream> stream_;
    Millis limit_;
    std::mutex mutex_{};
    std::optional<std::chrono::steady_clock::time_point> silent_since_{};
};

/// Where a server is, and how this host shows who it is.
struct Place {
    std::string host{};
    std::uint16_t port = default_port;
    io::TlsFiles tls{};
    Millis limit = std::chrono::minutes(1);  ///< nothing moves for so long: it has gone

    std::string text() const { return host + ":" + std::to_string(port); }
};

struct Connected {
    std::unique_ptr<Channel> channel{};
    Json welcome{};
};

/// Connects and greets. `service`: what the other side must be; `hello`: what it has to know first.
/// Errors: as io::SecureStream; Errc::invalid when another program, another service or another
/// version listens there; what the server refuses with.
Result<Connected> connect(const Place& place, const std::shared_ptr<io::TlsContext>& tls,
                          const std::string& service, Json hello);

}  // namespace howdah::remote
