#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/agent_config.h"

namespace howdah::config {

/// Another member, and the addresses that its replication may come from: that of its conn_url, and
/// where it is seen to stream from. None: it may be any address.
struct HbaPeer {
    std::string name{};
    std::vector<std::string> addresses{};
};

/// Whether these lines as a whole pg_hba.conf would keep the agents of the cluster out for certain:
/// the superuser's login of each agent on its own host, and the logins for replication and rewind
/// of the `peers`. What depends on more than the lines say (names of hosts, TLS, roles, other
/// files) passes. No lines: not managed, which passes too.
///
/// nullopt: no login fails for certain. Else the first one that does, the line that rejects it, and
/// a line that would let it in, as one sentence. Pure.
std::optional<std::string> lockout(const std::vector<std::string>& lines, const Postgresql& own,
                                   const std::vector<HbaPeer>& peers);

}  // namespace howdah::config
