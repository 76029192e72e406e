#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

/// Fields of what another host sent, which may be anything: one that is not there, or of another
/// type, counts as absent.
namespace howdah::remote {

inline std::string text_in(const nlohmann::json& json, const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

inline bool flag_in(const nlohmann::json& json, const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return found != json.end() && found->is_boolean() && found->get<bool>();
}

inline std::optional<std::uint64_t> number_in(const nlohmann::json& json, const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return found != json.end() && found->is_number_unsigned()
               ? std::optional(found->get<std::uint64_t>())
               : std::nullopt;
}

inline const nlohmann::json& list_in(const nlohmann::json& json, const char* key) {
    static const auto none = nlohmann::json::array();
    const auto found = json.is_object() ? json.find(key) : json.end();
    return found != json.end() && found->is_array() ? *found : none;
}

}  // namespace howdah::remote
