#pragma once

#include <expected>
#include <nlohmann/json_fwd.hpp>

#include "io/http.h"

namespace howdah::api {

/// The JSON object that a request must carry. The error is the answer: 411 without a length; 400
/// for anything but an object with something in it, or one nested too deeply to be meant.
std::expected<nlohmann::ordered_json, io::HttpResponse> object_in(const io::HttpRequest& request);
/// The same where the body may be missing or empty: an empty object then.
std::expected<nlohmann::ordered_json, io::HttpResponse> optional_object_in(
    const io::HttpRequest& request);

}  // namespace howdah::api
