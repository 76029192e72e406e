#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "config/sources.h"

namespace howdah::config {

/// One value that was written for a key, and why it does not count.
struct Shadowed {
    Setting setting{};
    std::string why{};  ///< "shadowed", "only /config counts", ...
};

/// What counts for one key (patroni-compatibility.md 1.1).
struct Explained {
    std::string key{};
    std::string value{};             ///< empty together with `from`: it has no value
    Origin from{};                   ///< a file, the environment, /config or the default
    std::vector<Shadowed> others{};  ///< the strongest first
};

/// Every key that has a value somewhere and is `key`, or below it, or ends in it; all of them for
/// an empty one. `dynamic` is `/config`; null: it is not known. Pure.
std::vector<Explained> explain(const Sources& local, const nlohmann::ordered_json& dynamic,
                               const std::string& key);
/// As an operator reads it: a line for what counts, one below it for each value that does not.
std::string render(const std::vector<Explained>& all);

}  // namespace howdah::config
