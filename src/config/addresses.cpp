#include "config/addresses.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace howdah::config {
namespace {

constexpr auto example = "write host:port, for example 10.0.0.1:8008 or [fd00::1]:8008";

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string::npos
               ? std::string()
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_ipv6(const std::string& text) {
    std::array<unsigned char, 16> bytes{};
    const auto zone = text.find('%');
    return inet_pton(AF_INET6, text.substr(0, zone).c_str(), bytes.data()) == 1;
}

std::optional<std::uint16_t> port_of(const std::string& text) {
    std::uint16_t port = 0;
    const auto* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, port);
    return error == std::errc{} && at == end && port != 0 ? std::optional(port) : std::nullopt;
}

std::string bare(const std::string& host) {
    return host.size() > 1 && host.front() == '[' && host.back() == ']'
               ? host.substr(1, host.size() - 2)
               : host;
}

std::unexpected<Error> refuse(const std::string& text, const std::string& why) {
    return std::unexpected(Error{
        .code = Errc::invalid, .message = fmt::format("\"{}\" {}", text, why), .hint = example});
}

/// Where the port's colon is; npos: there is no port.
std::size_t port_colon(const std::string& text) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos) {
        return colon;
    }
    if (const auto bracket = text.rfind(']'); bracket != std::string::npos) {
        return colon > bracket ? colon : std::string::npos;
    }
    // A bare IPv6 address that stays one without its last part has a port.
    const auto last = text.substr(text.rfind(',') + 1);
    const auto whole = trimmed(last);
    const auto rest = trimmed(last.substr(0, last.rfind(':')));
    const bool several = whole.find(':') != whole.rfind(':');
    return several && is_ipv6(whole) && !is_ipv6(rest) ? std::string::npos : colon;
}

/// At least one.
std::vector<std::string> hosts_of(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        out.push_back(bare(trimmed(text.substr(at, end - at))));
        at = end + 1;
    }
    return out;
}

Result<ListenAddresses> split(const std::string& text, std::uint16_t default_port) {
    if (text.find("://") != std::string::npos) {
        return refuse(text, "is a URL, where a host and a port belong");
    }
    ListenAddresses out{.port = default_port};
    const auto colon = port_colon(text);
    if (colon != std::string::npos) {
        const auto port = port_of(trimmed(text.substr(colon + 1)));
        if (!port) {
            return refuse(text, "has no port between 1 and 65535 after its colon");
        }
        out.port = *port;
    } else if (default_port == 0) {
        return refuse(text, "has no port");
    }
    out.hosts = hosts_of(text.substr(0, colon));
    for (const auto& host : out.hosts) {
        const bool colons = host.find(':') != std::string::npos;
        if ((colons && !is_ipv6(host)) || host.find_first_of("[]/ ") != std::string::npos) {
            return refuse(
                text, fmt::format("holds \"{}\", which is neither a name nor an address", host));
        }
    }
    return out;
}

}  // namespace

std::string HostPort::text() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

std::string ListenAddresses::joined() const {
    return fmt::format("{}", fmt::join(hosts, ","));
}

Result<HostPort> parse_host_port(const std::string& text, std::uint16_t default_port) {
    HD_TRY(auto parts, split(text, default_port));
    if (parts.hosts.size() != 1) {
        return refuse(text, "names several hosts where one belongs");
    }
    return HostPort{.host = std::move(parts.hosts.front()), .port = parts.port};
}

Result<ListenAddresses> parse_listen(const std::string& text, std::uint16_t default_port) {
    HD_TRY(auto parts, split(text, default_port));
    std::ranges::replace(parts.hosts, std::string(), std::string("*"));
    return parts;
}

bool is_any(const std::string& host) {
    return host.empty() || host == "*" || host == "0.0.0.0" || (is_ipv6(host) && [&] {
               std::array<unsigned char, 16> bytes{};
               inet_pton(AF_INET6, host.c_str(), bytes.data());
               return std::ranges::all_of(bytes, [](unsigned char b) { return b == 0; });
           }());
}

bool is_loopback(const std::string& host) {
    std::array<unsigned char, 4> bytes{};
    return host == "localhost" || host == "::1" ||
           (inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 && bytes[0] == 127);
}

std::string local_address(const std::string& listen_addresses) {
    const auto hosts = hosts_of(listen_addresses);
    for (const auto& host : hosts) {
        if (host == "*" || host.empty() || host == "localhost" || host == "0.0.0.0" ||
            host == "127.0.0.1") {
            return "localhost";
        }
    }
    return std::ranges::any_of(hosts, is_any) ? "::1" : hosts.front();
}

}  // namespace howdah::config
