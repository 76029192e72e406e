#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace howdah::proxy {

/// A socket address, ready for connect() and bind().
struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;

    /// `host` is an IPv4 or IPv6 address in digits; "" and "*" stand for all. Never asks a name
    /// server. Errors: Errc::invalid.
    static Result<Address> numeric(const std::string& host, std::uint16_t port);
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    std::uint16_t port() const;
    std::string host() const;  ///< in digits
    bool operator==(const Address& other) const;
};

}  // namespace howdah::proxy
