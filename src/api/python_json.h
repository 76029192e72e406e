#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace howdah::api {

/// JSON as Patroni writes it (Python's json.dumps): ", " and ": " between, ASCII only, keys in
/// order.
std::string python_json(const nlohmann::ordered_json& value);

}  // namespace howdah::api
