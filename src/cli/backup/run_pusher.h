#pragma once

namespace howdah::cli {

/// The agent's pusher (backup/command/archive/pusher.h): serves the listening socket that is its
/// standard input, until nobody has asked for a minute or `agent`, the process that started it, has
/// ended. Returns the exit code.
int run_archive_pusher(int agent);

}  // namespace howdah::cli
