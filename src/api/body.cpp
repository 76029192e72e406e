#include "api/body.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/answers.h"

namespace howdah::api {

using Json = nlohmann::ordered_json;

namespace {

constexpr int deepest = 32;  ///< what is written is read back recursively, here and elsewhere

/// Brackets, wherever they stand: a bound, not a parser.
bool is_shallow(const std::string& text) {
    int depth = 0, most = 0;
    for (const char c : text) {
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        most = std::max(most, depth);
    }
    return most <= deepest;
}

}  // namespace

std::expected<Json, io::HttpResponse> object_in(const io::HttpRequest& request) {
    if (!request.headers.contains("content-length")) {
        return std::unexpected(error_page(411));
    }
    auto body = is_shallow(request.body) ? Json::parse(request.body, nullptr, false) : Json();
    if (!body.is_object() || body.empty()) {
        return std::unexpected(error_page(400));
    }
    return body;
}

std::expected<Json, io::HttpResponse> optional_object_in(const io::HttpRequest& request) {
    if (request.body.empty()) {
        return Json::object();
    }
    auto body = is_shallow(request.body) ? Json::parse(request.body, nullptr, false) : Json();
    if (!body.is_object()) {
        return std::unexpected(error_page(400));
    }
    return body;
}

}  // namespace howdah::api
