#pragma once

#include <string>
#include <vector>

#include "ha/decide.h"

namespace howdah::ha {

/// What would have to change for this member to become primary, one sentence each, the ones that
/// its own state causes first. Empty: it is the primary.
std::vector<std::string> obstacles(const View& view);

}  // namespace howdah::ha
