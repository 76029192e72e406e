#pragma once

#include <nlohmann/json.hpp>

#include "files/files.h"

namespace howdah::files {

/// Names are bytes, JSON's texts are UTF-8: each byte becomes one letter of Latin-1, and back.
std::string encode_name(std::string_view bytes);
std::string decode_name(const std::string& text);

nlohmann::json to_json(const Entry& entry);
/// Errors: Errc::corrupt.
Result<Entry> to_entry(const nlohmann::json& json);

}  // namespace howdah::files
