#pragma once

#include <cstdint>
#include <vector>

#include "ha/cluster.h"

namespace howdah::proxy {

/// A member that read-only sessions may be on.
struct ReadableStandby {
    const ha::Member* member = nullptr;
    bool takes_new =
        false;  ///< within `max_lag`; one that lags keeps its sessions but gets no others
};

/// The running standbys of `cluster` that read-only sessions may be on: role replica, state running
/// or streaming, no tag noloadbalance. Its lag is the primary's last published position less its
/// own replayed one, in bytes; when the primary's is not known, nobody lags. Pure; the pointers
/// point into `cluster`.
std::vector<ReadableStandby> readable_standbys(const ha::Cluster& cluster, std::uint64_t max_lag);

}  // namespace howdah::proxy
