#pragma once

#include <string>

#include "agent/control.h"
#include "api/rest.h"

namespace howdah::api {

/// Path and query of a request's target, percent-decoded.
struct Target {
    std::string path{};
    std::vector<std::pair<std::string, std::string>> query{};
    const std::string* parameter(std::string_view name) const;
};
Target parse_target(const std::string& target);

/// True when the health check `target` passes, by the table of patroni-compatibility.md 3.3.
bool passes(const Target& target, const agent::Status& status, Now now);
bool is_live(const agent::Status& status, Now now);
bool is_ready(const Target& target, const agent::Status& status);

}  // namespace howdah::api
