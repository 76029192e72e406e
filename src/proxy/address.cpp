#include "proxy/address.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>

namespace howdah::proxy {

Result<Address> Address::numeric(const std::string& host, std::uint16_t port) {
    const bool any = host.empty() || host == "*";
    addrinfo wanted{};
    wanted.ai_family = any ? AF_INET : AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    addrinfo* found = nullptr;
    const auto service = std::to_string(port);
    const int error = getaddrinfo(any ? nullptr : host.c_str(), service.c_str(), &wanted, &found);
    if (error != 0) {
        return fail(Errc::invalid, fmt::format("not an IP address: \"{}\"", host));
    }
    Address address;
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    address.length = found->ai_addrlen;
    freeaddrinfo(found);
    return address;
}

std::uint16_t Address::port() const {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    const auto* in4 = reinterpret_cast<const sockaddr_in*>(&storage);
    return ntohs(storage.ss_family == AF_INET6 ? in6->sin6_port : in4->sin_port);
}

std::string Address::host() const {
    char text[NI_MAXHOST] = "";
    getnameinfo(get(), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
    return text;
}

bool Address::operator==(const Address& other) const {
    return length == other.length && std::memcmp(&storage, &other.storage, length) == 0;
}

}  // namespace howdah::proxy
