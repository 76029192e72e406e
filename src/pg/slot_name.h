#pragma once

#include <string>

namespace howdah::pg {

/// The replication slot of a member: what a slot's name may hold of the member's, the same as
/// Patroni's (patroni-compatibility.md 9.1).
std::string slot_name(const std::string& member);

}  // namespace howdah::pg
