#pragma once

#include <string>

#include "base/result.h"
#include "cli/command.h"

namespace howdah::cli {

/// `howdah config validate` and `config explain`. `given` is -c. The exit code: validate has 1 when
/// something is wrong, after naming every fault.
Result<int> run(const ConfigCommand& command, const std::string& given, const std::string& dcs_url);

}  // namespace howdah::cli
