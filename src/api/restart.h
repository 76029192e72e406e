#pragma once

#include <expected>
#include <nlohmann/json_fwd.hpp>

#include "agent/control.h"
#include "io/http.h"

namespace howdah::api {

/// What POST /restart asks for, or the answer that refuses it, in Patroni's words
/// (patroni-compatibility.md 3.6). Pure.
std::expected<agent::RestartRequest, io::HttpResponse> restart_in(const io::HttpRequest& request,
                                                                  const agent::Status& status,
                                                                  std::int64_t wall_seconds);

/// A flag of a body as Patroni reads it: true, or any spelling of it.
bool is_true(const nlohmann::ordered_json& body, const char* key);

/// "15.99" is 150099, "9.6.0" is 90600. nullopt: no version.
std::optional<int> version_number(const std::string& text);

}  // namespace howdah::api
