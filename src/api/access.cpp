#include "api/access.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "api/answers.h"

namespace howdah::api {

namespace {

std::string base64(std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t block = 0;
        const auto have = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t j = 0; j < 3; ++j) {
            block = block << 8 | (j < have ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            out += j <= have ? digits[block >> (18 - 6 * j) & 63] : '=';
        }
    }
    return out;
}

/// Compares in a time that depends on the lengths only.
bool same_secret(std::string_view a, std::string_view b) {
    unsigned difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        difference |= static_cast<unsigned char>(a[i]) ^
                      static_cast<unsigned>(static_cast<unsigned char>(b[i]));
    }
    return difference == 0;
}

io::HttpResponse unauthorized(std::string text) {
    auto out = text_answer(401, std::move(text));
    out.headers["WWW-Authenticate"] = "Basic realm=\"Patroni\"";
    return out;
}

}  // namespace

bool is_safe(const io::HttpRequest& request) {
    return request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS";
}

std::optional<io::HttpResponse> refuse_access(const io::HttpRequest& request,
                                              const std::optional<config::Credentials>& wanted) {
    if (!wanted || is_safe(request)) {
        return std::nullopt;
    }
    const auto header = request.headers.find("authorization");
    if (header == request.headers.end()) {
        return unauthorized("no auth header received");
    }
    const auto expected = "Basic " + base64(wanted->username + ":" + wanted->password);
    return same_secret(header->second, expected) ? std::nullopt
                                                 : std::optional(unauthorized("not authenticated"));
}

}  // namespace howdah::api
