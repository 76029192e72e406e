#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace howdah::cli {

/// YAML laid out as PyYAML's safe_dump lays it out (which patronictl prints): keys sorted, 80
/// columns.
std::string yaml_block(const nlohmann::ordered_json& value);  ///< ends with a newline
std::string yaml_flow(
    const nlohmann::ordered_json& value);  ///< "{a: 1, b: x}", no newline at the end

}  // namespace howdah::cli
