#include "proxy/vouches.h"

#include "io/http_many.h"

namespace howdah::proxy {

io::Task<std::vector<ha::Vouch>> ask_for_vouches(io::Executor executor, io::Clock& clock,
                                                 std::vector<ha::Member> members,
                                                 std::shared_ptr<const io::TlsFiles> tls,
                                                 Nanos limit) {
    std::vector<io::HttpAddress> servers;
    for (const auto& member : members) {
        const auto address = member.api_address();
        if (address && !member.is_patroni()) {
            servers.push_back({.host = address->host,
                               .port = address->port,
                               .tls = address->tls ? tls : nullptr});
        }
    }
    std::vector<ha::Vouch> vouches;
    const auto bodies = co_await io::ask_many(executor, clock, std::move(servers),
                                              {.target = "/howdah/vouch"}, limit);
    for (const auto& body : bodies) {
        if (auto vouch = ha::parse_vouch(body)) {
            vouches.push_back(*std::move(vouch));
        }
    }
    co_return vouches;
}

}  // namespace howdah::proxy
