#pragma once

#include <string>
#include <vector>

#include "ha/cluster.h"

namespace howdah::cli {

/// The roles that patronictl takes: leader, primary, standby-leader, replica, standby, any.
const std::vector<std::string>& role_words();

/// Members with that role, the leader before the others, which are sorted by name.
std::vector<ha::Member> members_with_role(const ha::Cluster& cluster, const std::string& role);

/// The one that `dsn` and `query` speak of: `member` by name, else the first with `role`, which is
/// the leader where both are empty. Errors: Errc::not_found in patronictl's words.
Result<ha::Member> one_member(const ha::Cluster& cluster, const std::string& role,
                              const std::string& member);

}  // namespace howdah::cli
