#pragma once

#include <string>

#include "ha/local.h"

namespace howdah::ha {

/// Why the PostgreSQL that runs here can't do its work, though it lives: its postmaster hangs, or
/// its disk takes no writes. Empty: it can. A disk may be sick under a server that is down, too.
std::string sickness(const Local& local, Instant now);
/// Since when it may have been sick: a write that hangs began before anybody could say so.
Instant sick_from(const Local& local, Instant now);

}  // namespace howdah::ha
