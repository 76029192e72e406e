#pragma once

#include <cstdint>
#include <string>

#include "proxy/route.h"

namespace howdah::proxy {

/// What the data path counts. `_total` only grows.
struct Counts {
    std::uint64_t sessions = 0;  ///< clients connected now, held and refused ones included
    std::uint64_t held = 0;      ///< of these: waiting for a backend
    std::uint64_t accepted_total = 0;
    std::uint64_t refused_total = 0;
    std::uint64_t cut_total = 0;  ///< sessions ended because their backend was deposed
    std::uint64_t connect_failures_total = 0;
    std::uint64_t bytes_to_servers_total = 0;
    std::uint64_t bytes_to_clients_total = 0;
};

/// The endpoint at one moment.
struct Status {
    Route route{};
    bool verified = false;       ///< the sentinel's answer fits the record: new sessions are let in
    std::string sentinel{};      ///< what it is doing, or its last error
    Millis deadline_left{};      ///< 0 when closed
    std::uint64_t standbys = 0;  ///< that take read-only sessions
    Counts counts{};
};

/// One line: "open to pgvm1 epoch=7 timeline=3 left=4.2s sessions=12 held=0 refused=0 cut=3
/// standbys=2".
std::string line(const Status& status);
/// One JSON object with the same.
std::string render(const Status& status);

}  // namespace howdah::proxy
