#pragma once

#include <string>
#include <vector>

#include "config/agent_config.h"
#include "ha/member.h"

namespace howdah::agent {

/// Which logins that the cluster lives on the pg_hba lines `after` would refuse and `before` does
/// not: the agent's superuser on its own host, and the replication user from the address of every
/// other member. One text each, empty: none. Pure. Only a clear no counts: where names, roles or
/// TLS decide, nobody is locked out. No lines: the file is left alone.
std::vector<std::string> locked_out(const config::AgentConfig& own,
                                    const std::vector<ha::Member>& members,
                                    const std::vector<std::string>& before,
                                    const std::vector<std::string>& after);

}  // namespace howdah::agent
