#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// What one member's agent says of itself (GET /explain), or why it doesn't.
struct MemberExplanation {
    std::string name{}, role{}, rule{}, why{}, trouble{}, archiving_off{}, settings_refused{};
    std::string file_errors{};
    std::vector<std::string> obstacles{};
    std::string error{};  ///< its agent does not answer; the rest is empty
};

/// A paragraph for each member. Ends with a newline.
std::string render_explanations(const std::vector<MemberExplanation>& members);

/// `howdah explain [MEMBER]`: why each member is what it is, and what would have to change for it
/// to become primary.
Result<> run(const ExplainCommand& command, const config::AgentConfig& config);

}  // namespace howdah::cli
