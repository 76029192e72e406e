#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "base/instant.h"
#include "proxy/data_path.h"
#include "proxy/fd.h"
#include "proxy/refusal.h"
#include "proxy/routing.h"

namespace howdah::proxy {

/// A session's bytes in transit; there only while some are.
using Buffer = std::array<char, 16384>;

/// Buffers of one thread, so that idle sessions pin none.
class BufferPool {
public:
    std::unique_ptr<Buffer> take() {
        if (free_.empty()) {
            return std::make_unique_for_overwrite<Buffer>();
        }
        auto buffer = std::move(free_.back());
        free_.pop_back();
        return buffer;
    }
    void give_back(std::unique_ptr<Buffer> buffer) {
        if (buffer && free_.size() < max_free) {
            free_.push_back(std::move(buffer));
        }
    }

private:
    static constexpr std::size_t max_free = 64;
    std::vector<std::unique_ptr<Buffer>> free_{};
};

/// What an epoll event points to.
struct Source {
    enum class Kind : std::uint8_t { wake, timer, listener, client, server };
    Kind kind{};
};

struct Session;

/// One of a session's two sockets. The epoll registration is edge-triggered and never changes;
/// these flags remember what the edges said.
struct Side : Source {
    explicit Side(Kind which, Session& of) : Source{which}, session(of) {}

    Session& session;
    Fd fd{};
    bool readable = false;
    bool writable = false;
    bool hung_up = false;  ///< the peer closed, or the connection broke
    bool ended = false;    ///< nothing more can be read
    bool shut = false;     ///< told that nothing more will be written
};

/// Bytes read from one side and not yet written to the other.
struct Parcel {
    std::unique_ptr<Buffer> buffer{};
    std::size_t begin = 0;
    std::size_t end = 0;
    bool empty() const { return begin == end; }
};

enum class Phase : std::uint8_t {
    held,        ///< waits for a backend; the client is not read
    connecting,  ///< a connection to the backend is under way
    open,
    refusing,  ///< reads the client's startup to answer it with an error
    leaving,   ///< the error was sent; waits for the client to close
    dead,
};

/// One client and its backend (1:1).
struct Session {
    Session(Port which, Fd fd) : port(which) { client.fd = std::move(fd); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Port port{};
    Phase phase = Phase::held;
    bool on_primary = false;
    bool waiting = false;       ///< listed in the loop's waiting_
    bool active = false;        ///< listed in the loop's active_
    std::uint8_t failures = 0;  ///< connection attempts, in a row
    Side client{Source::Kind::client, *this};
    Side server{Source::Kind::server, *this};
    Parcel up{};    ///< client to server
    Parcel down{};  ///< server to client
    std::shared_ptr<const Backend> backend{};
    ha::Epoch epoch = 0;  ///< on_primary: of the route it was attached by
    Instant hold_until{};
    Instant timer{};  ///< what it stands in the loop's timers for; never: nothing
    std::optional<Refusal> refusal{};
    std::list<std::unique_ptr<Session>>::iterator place{};
};

}  // namespace howdah::proxy
