#include "api/body.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

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

/// Discarded: no JSON, or too deep. A key that stands twice would be read as its last value, and
/// nobody can know which one was meant.
std::expected<Json, io::HttpResponse> parsed(const std::string& text) {
    if (!is_shallow(text)) {
        return Json(Json::value_t::discarded);
    }
    std::vector<std::set<std::string>> seen;
    std::string twice;
    const auto look = [&](int, Json::parse_event_t event, Json& value) {
        if (event == Json::parse_event_t::object_start) {
            seen.emplace_back();
        } else if (event == Json::parse_event_t::object_end) {
            seen.pop_back();
        } else if (event == Json::parse_event_t::key &&
                   !seen.back().insert(value.get<std::string>()).second) {
            twice = value.get<std::string>();
        }
        return true;
    };
    auto body = Json::parse(text, look, false);
    if (!twice.empty()) {
        return std::unexpected(
            text_answer(400, fmt::format("the key \"{}\" stands twice in one object", twice)));
    }
    return body;
}

}  // namespace

std::expected<Json, io::HttpResponse> object_in(const io::HttpRequest& request) {
    if (!request.headers.contains("content-length")) {
        return std::unexpected(error_page(411));
    }
    auto body = parsed(request.body);
    if (body && (!body->is_object() || body->empty())) {
        return std::unexpected(error_page(400));
    }
    return body;
}

std::expected<Json, io::HttpResponse> optional_object_in(const io::HttpRequest& request) {
    if (request.body.empty()) {
        return Json::object();
    }
    auto body = parsed(request.body);
    if (body && !body->is_object()) {
        return std::unexpected(error_page(400));
    }
    return body;
}

}  // namespace howdah::api
