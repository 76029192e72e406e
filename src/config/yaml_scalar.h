#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"

namespace howdah::config {

/// What YAML 1.1 makes of one scalar, as PyYAML 6 (and so Patroni) reads it. Pure.

/// A plain scalar, by PyYAML's implicit rules: "0640" is 416, "24:00" 1440, "on" true, "~" null.
/// Errors: Errc::invalid for what PyYAML refuses, and for what JSON (and so `/config`) can't hold:
/// dates, infinities, NaN, whole numbers beyond 64 bits.
Result<nlohmann::ordered_json> read_plain_scalar(const std::string& text);
/// A scalar with an explicit tag, in full ("tag:yaml.org,2002:str"). Errors as above, and for every
/// tag but str, int, float, bool and null.
Result<nlohmann::ordered_json> read_tagged_scalar(const std::string& tag, const std::string& text);

/// A scalar as Python's str() writes it: "True", "416", "1e-05"; text as it is.
std::string python_text(const nlohmann::ordered_json& scalar);
/// A scalar as Python's json module writes it where it is a key: "true", "416", "null".
std::string python_key(const nlohmann::ordered_json& scalar);

}  // namespace howdah::config
