#include "api/access.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
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

struct Network {
    std::array<unsigned char, 16> bytes{};
    int family = AF_UNSPEC;
    int bits = 0;
};

std::optional<Network> parse_network(const std::string& text) {
    const auto slash = text.find('/');
    auto address = text.substr(0, slash);
    if (constexpr std::string_view mapped = "::ffff:";
        address.starts_with(mapped) && address.find('.') != std::string::npos) {
        address.erase(0, mapped.size());  // IPv4, seen by a socket that listens on IPv6
    }
    Network out;
    out.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
    const int most = out.family == AF_INET ? 32 : 128;
    out.bits = most;
    if (inet_pton(out.family, address.c_str(), out.bytes.data()) != 1) {
        return std::nullopt;
    }
    if (slash != std::string::npos) {
        const auto* const end = text.data() + text.size();
        const auto read = std::from_chars(text.data() + slash + 1, end, out.bits);
        if (read.ec != std::errc{} || read.ptr != end || out.bits < 0 || out.bits > most) {
            return std::nullopt;
        }
    }
    return out;
}

bool holds(const Network& network, const Network& address) {
    if (network.family != address.family) {
        return false;
    }
    for (int bit = 0; bit < network.bits; ++bit) {
        const auto at = static_cast<std::size_t>(bit / 8);
        const auto mask = static_cast<unsigned char>(0x80U >> static_cast<unsigned>(bit % 8));
        if ((network.bytes[at] & mask) != (address.bytes[at] & mask)) {
            return false;
        }
    }
    return true;
}

}  // namespace

bool is_network(const std::string& text) {
    return parse_network(text).has_value();
}

bool is_allowed(const std::string& peer, const std::vector<std::string>& allowed) {
    const auto address = parse_network(peer);
    return address && std::ranges::any_of(allowed, [&](const std::string& one) {
               const auto network = parse_network(one);
               return network && holds(*network, *address);
           });
}

std::optional<io::HttpResponse> refuse_without_certificate(const io::HttpRequest& request,
                                                           io::ClientCertificates wanted) {
    const bool wants = request.tls && wanted != io::ClientCertificates::none;
    return wants && !request.client_certificate
               ? std::optional(text_answer(403, "client certificate required"))
               : std::nullopt;
}

std::optional<io::HttpResponse> refuse_stranger(const io::HttpRequest& request,
                                                const std::vector<std::string>& members) {
    if (request.client_certificate || is_allowed(request.peer, {"127.0.0.0/8", "::1"}) ||
        is_allowed(request.peer, members)) {
        return std::nullopt;
    }
    return text_answer(403, request.peer +
                                " is no member's address: restapi.authentication or client "
                                "certificates let members call from others");
}

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
