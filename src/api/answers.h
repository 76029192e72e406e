#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "io/http.h"

namespace howdah::api {

/// The bodies and headers that Patroni's server gives (patroni-compatibility.md 3.1).
io::HttpResponse json_answer(int code, const nlohmann::ordered_json& body);
io::HttpResponse text_answer(int code, std::string text);
/// The page of Python's http.server for `code`; `message` replaces the reason phrase.
io::HttpResponse error_page(int code, const std::string& message = {});
/// Status line only.
io::HttpResponse bare_answer(int code);

}  // namespace howdah::api
