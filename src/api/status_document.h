#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "agent/control.h"

namespace howdah::api {

/// The version of Patroni whose documents these are (2.2: other members compare it).
inline constexpr const char* patroni_version = "4.1.4";

/// Patroni's words for what the local server is and does (3.4): `unknown` for a running server that
/// doesn't answer.
std::string state_word(const agent::Status& status);
std::string role_word(const agent::Status& status);

/// The document of `/patroni` and of all health checks, keys in Patroni's order.
nlohmann::ordered_json status_document(const agent::Status& status);

}  // namespace howdah::api
