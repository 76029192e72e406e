#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::config {

struct HostPort {
    std::string host{};  ///< a name or an address, IPv6 without brackets
    std::uint16_t port = 0;
    std::string text() const;  ///< "host:port", IPv6 in brackets
    bool operator==(const HostPort&) const = default;
};

/// Several addresses with one port, as postgresql.listen has them.
struct ListenAddresses {
    std::vector<std::string> hosts{};  ///< never empty; "*": every address
    std::uint16_t port = 0;
    std::string joined() const;  ///< "10.0.0.1,fd00::1", as PostgreSQL's listen_addresses
};

/// "host:port", "host" with the default port, "[::1]:5432", "::1", ":8008" and "*:8008" (host ""
/// and "*"). What is behind the last colon of a bare IPv6 address is the port where the rest is an
/// address too, as Patroni takes it: fd00::1:5432. `default_port` 0: the port may not be missing.
/// Errors: Errc::invalid: neither a name nor an address, a port outside 1 to 65535, a URL.
Result<HostPort> parse_host_port(const std::string& text, std::uint16_t default_port);
/// The same of "a, b, [c]:port". An empty host is "*".
Result<ListenAddresses> parse_listen(const std::string& text, std::uint16_t default_port);

/// "", "*", "0.0.0.0", "::": whoever listens there listens everywhere, and nobody can be sent
/// there.
bool is_any(const std::string& host);
/// "localhost", 127.0.0.0/8, "::1".
bool is_loopback(const std::string& host);
/// Where a process on this host reaches a server with these listen_addresses: the loopback where it
/// is among them, else the first one.
std::string local_address(const std::string& listen_addresses);

}  // namespace howdah::config
