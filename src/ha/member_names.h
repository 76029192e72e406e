#pragma once

#include <map>
#include <string>
#include <vector>

#include "ha/cluster.h"

namespace howdah::ha {

/// What each member was last called. Records know members by uuid, operators by name; a member's
/// key goes with its lease, and is missing just when its name is asked for.
using MemberNames = std::map<Uuid, std::string>;

/// `known` with what the cluster shows now. Of those it no longer shows, only the ones in `needed`
/// stay, so that the list does not grow for ever.
MemberNames learned(MemberNames known, const Cluster& cluster, const std::vector<Uuid>& needed);

/// The name, or the uuid where none is known.
const std::string& shown(const MemberNames& names, const Uuid& uuid);

}  // namespace howdah::ha
