#pragma once

#include "world.h"

namespace howdah::sim {

/// Takes faults out of a schedule that breaks an invariant, and shortens them, as long as the same
/// invariant still breaks under the same seed (ddmin). `runs_at_most` bounds the work.
std::vector<Fault> shrink(const Options& options, std::vector<Fault> schedule,
                          const std::string& invariant, int runs_at_most);

}  // namespace howdah::sim
