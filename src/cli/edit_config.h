#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// `howdah show-config`: `/config` as YAML, keys sorted, and an empty line. Nothing where there is
/// none.
Result<> run(const ShowConfigCommand& command, const config::AgentConfig& config);

/// `howdah edit-config`: the changes of the command line or of an editor, checked, shown as a diff,
/// confirmed, and written over exactly the version that was read. Errors: Errc::invalid names every
/// key that would be wrong; Errc::conflict when somebody else changed it meanwhile.
Result<> run(const EditConfigCommand& command, const config::AgentConfig& config);

/// `document` with the changes that the command line asks for: --replace, then --apply, then -s and
/// -p in their order. `texts` are the contents of those two files. Errors: Errc::invalid.
struct EditTexts {
    std::string apply{}, replace{};
};
Result<nlohmann::ordered_json> edited(nlohmann::ordered_json document,
                                      const EditConfigCommand& command, const EditTexts& texts);

/// The YAML of a document, as show-config prints it; empty for an empty one.
std::string config_yaml(const nlohmann::ordered_json& document);

}  // namespace howdah::cli
