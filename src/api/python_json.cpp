#include "api/python_json.h"

#include <nlohmann/json.hpp>

namespace howdah::api {

namespace {

using Json = nlohmann::ordered_json;

std::string scalar(const Json& value) {
    return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

void append(std::string& out, const Json& value) {
    const char* separator = "";
    if (value.is_object()) {
        out += '{';
        for (const auto& [key, item] : value.items()) {
            out += separator + scalar(key) + ": ";
            append(out, item);
            separator = ", ";
        }
        out += '}';
    } else if (value.is_array()) {
        out += '[';
        for (const auto& item : value) {
            out += separator;
            append(out, item);
            separator = ", ";
        }
        out += ']';
    } else {
        out += scalar(value);
    }
}

}  // namespace

std::string python_json(const Json& value) {
    std::string out;
    append(out, value);
    return out;
}

}  // namespace howdah::api
