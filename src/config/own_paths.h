#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/agent_config.h"

namespace howdah::config {

/// data_directory and its like: parameters that would make PostgreSQL work on other files than the
/// agent looked at before it started it. They are made from `data_dir` and `config_dir` alone.
bool is_own_path(std::string_view parameter);

/// Removes them from `parameters`. One sentence for each that named another file; the same file is
/// passed over in silence.
std::vector<std::string> drop_own_paths(const Postgresql& paths, Parameters& parameters);

}  // namespace howdah::config
