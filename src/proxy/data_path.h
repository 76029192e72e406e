#pragma once

#include <memory>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "ha/wake_watch.h"
#include "proxy/address.h"
#include "proxy/routing.h"
#include "proxy/status.h"

namespace howdah::proxy {

enum class Port : std::uint8_t { read_write, read_only };

struct DataPathOptions {
    unsigned threads = 0;  ///< 0: min(2, cores)
    Millis hold_limit{30000};
    Millis connect_limit{2000};        ///< one attempt to reach a backend
    Millis refusal_limit{5000};        ///< how long a refused client may take to say what it wants
    std::size_t max_sessions = 20000;  ///< more are closed at once
    std::size_t max_held = 10000;      ///< more are refused at once
    std::size_t max_connecting = 128;  ///< attempts at a time and thread
    ha::WakeWatch* wake = nullptr;     ///< told at each wake-up of each thread
};

/// Passes bytes between clients and PostgreSQL servers, on threads of its own (proxy-design.md,
/// section 2). It never asks anybody: where sessions go, and until when, stands in the last
/// Routing.
///
/// - A client that can't be routed is held, unread, up to hold_limit and then refused with 57P03.
/// So is one
///   whose backend doesn't answer: the connection is tried again meanwhile.
/// - A session on the primary is bound to (member, epoch). It is cut when the Routing names another
/// one, or
///   none, and when the deadline passes: each thread has its own CLOCK_BOOTTIME timer and looks at
///   the clock before it moves bytes, so a stuck control thread can't keep a route open.
/// - Cutting is a reset of both connections. No error message goes before it: without reading the
/// protocol
///   nobody knows whether the client is in the middle of a message.
class DataPath {
public:
    explicit DataPath(DataPathOptions options);
    ~DataPath();  ///< as stop()
    DataPath(const DataPath&) = delete;
    DataPath& operator=(const DataPath&) = delete;

    /// Binds; connections are served after start(). Errors: Errc::io with the address.
    Result<> listen(Port port, Address address);
    Result<> start();
    /// From one thread at a time, at any rate.
    void publish(std::shared_ptr<const Routing> routing);
    /// Resets all sessions, ends the threads.
    void stop();

    Counts counts() const;
    Address listening(Port port) const;  ///< useful when port 0 was asked for

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace howdah::proxy
