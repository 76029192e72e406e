#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::config {

using Environment = std::map<std::string, std::string>;

/// This process' environment.
Environment process_environment();

/// One variable that says something about a key.
struct Assignment {
    std::string variable{};  ///< "PATRONI_SUPERUSER_PASSWORD"
    std::string path{};      ///< "postgresql.authentication.superuser.password"
    nlohmann::ordered_json value{};
};

/// What the PATRONI_* variables say (patroni-compatibility.md 1.15), in the order of their names.
/// Empty ones count as unset; unknown ones are Patroni's too, or somebody else's, and are read
/// past. Errors: Errc::invalid: a list or map that is none.
Result<std::vector<Assignment>> read_environment(const Environment& environment);

/// The keys that some variable sets.
std::vector<std::string> paths_of_environment();
/// The variable that sets the key `path`, where there is one.
std::string variable_for(const std::string& path);

}  // namespace howdah::config
