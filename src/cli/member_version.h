#pragma once

#include <string>

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// `howdah version`: this program's, and of a cluster each member's and its PostgreSQL's.
Result<> run(const VersionCommand& command, const std::string& config_file, bool as_patronictl);

/// `howdah dsn`: "host=H port=P" of the leader, or of who is asked for.
Result<> run(const DsnCommand& command, const config::AgentConfig& config);

/// 150020 -> "15.20", 90603 -> "9.6.3".
std::string version_text(int number);

}  // namespace howdah::cli
