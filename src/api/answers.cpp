#include "api/answers.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "api/python_json.h"

namespace howdah::api {

namespace {

struct Phrase {
    int code;
    std::string_view reason;
    std::string_view explanation;
};
// Python's http.HTTPStatus.
constexpr std::array phrases{
    Phrase{400, "Bad Request", "Bad request syntax or unsupported method"},
    Phrase{409, "Conflict", "Request conflict"},
    Phrase{411, "Length Required", "Client must specify Content-Length"},
    Phrase{501, "Not Implemented", "Server does not support this operation"},
    Phrase{502, "Bad Gateway", "Invalid responses from another server/proxy"},
    Phrase{503, "Service Unavailable", "The server cannot process the request due to a high load"},
};

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
    }
    return out;
}

}  // namespace

io::HttpResponse json_answer(int code, const nlohmann::ordered_json& body) {
    return {.status = code,
            .headers = {{"Content-Type", "application/json"}},
            .body = python_json(body)};
}

io::HttpResponse text_answer(int code, std::string text) {
    return {.status = code, .headers = {{"Content-Type", "text/html"}}, .body = std::move(text)};
}

io::HttpResponse error_page(int code, const std::string& message) {
    Phrase phrase{code, "Error", ""};
    for (const auto& known : phrases) {
        phrase = known.code == code ? known : phrase;
    }
    const auto shown = message.empty() ? std::string(phrase.reason) : escaped(message);
    const auto number = std::to_string(code);
    auto body =
        "<!DOCTYPE HTML>\n<html lang=\"en\">\n    <head>\n        <meta charset=\"utf-8\">\n"
        "        <title>Error response</title>\n    </head>\n    <body>\n"
        "        <h1>Error response</h1>\n        <p>Error code: " +
        number +
        "</p>\n"
        "        <p>Message: " +
        shown +
        ".</p>\n"
        "        <p>Error code explanation: " +
        number + " - " + std::string(phrase.explanation) + ".</p>\n    </body>\n</html>\n";
    return {.status = code,
            .headers = {{"Connection", "close"}, {"Content-Type", "text/html;charset=utf-8"}},
            .body = std::move(body)};
}

io::HttpResponse bare_answer(int code) {
    return {.status = code, .bare = true};
}

}  // namespace howdah::api
