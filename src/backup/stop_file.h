#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "base/result.h"

/// Files that forbid work on a stanza, shared with pgBackRest (pgbackrest-repository.md, section
/// 11.2). An empty stanza stands for all of them.
namespace howdah::backup {

/// Errors: Errc::cancelled, ExitCode::stop, while the stanza, or all, are stopped.
Result<> check_not_stopped(const std::string& lock_path, const std::string& stanza);

/// Whether something changed: false when it was so already. Errors: Errc::io.
Result<bool> stop(const std::string& lock_path, const std::string& stanza);
/// To a repository host: what clients of stopped stanzas do shall end.
inline constexpr int end_clients_signal = SIGUSR1;
/// Sends SIGTERM to those who hold a lock of the stanza, end_clients_signal to a repository host;
/// to whom. What lies there without a holder
/// is left of a process that is gone. Errors: Errc::io.
Result<std::vector<int>> end_lock_holders(const std::string& lock_path, const std::string& stanza);
Result<bool> start(const std::string& lock_path, const std::string& stanza);

}  // namespace howdah::backup
