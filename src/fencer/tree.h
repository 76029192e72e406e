#pragma once

#include <sys/types.h>

namespace howdah::fencer {

/// Sends `signal` to each child of `parent` as the kernel lists them now; how many. No heap.
/// Source: proc(5), /proc/PID/task/TID/children; without it, every /proc/PID/stat is looked at.
int signal_children(pid_t parent, int signal);

/// The first child of `parent`, or 0.
pid_t first_child(pid_t parent);

}  // namespace howdah::fencer
