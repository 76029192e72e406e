#include "agent/http_peers.h"

#include "base/base64.h"
#include "io/http_many.h"

namespace howdah::agent {
namespace {

/// What can't be read counts as silence.
template <class Answer>
io::Task<std::vector<Answer>> ask_all(io::Executor executor, io::Clock& clock,
                                      std::vector<ha::Member> members,
                                      std::shared_ptr<const io::TlsFiles> tls,
                                      io::HttpRequest request, Nanos limit,
                                      Result<Answer> (*read)(const std::string&)) {
    std::vector<io::HttpAddress> servers;
    for (const auto& member : members) {
        const auto address = member.api_address();
        if (address && !member.is_patroni()) {
            servers.push_back({.host = address->host,
                               .port = address->port,
                               .tls = address->tls ? tls : nullptr});
        }
    }
    std::vector<Answer> answers;
    const auto bodies =
        co_await io::ask_many(executor, clock, std::move(servers), std::move(request), limit);
    for (const auto& body : bodies) {
        if (auto answer = read(body)) {
            answers.push_back(*std::move(answer));
        }
    }
    co_return answers;
}

}  // namespace

io::Task<std::vector<ha::Standing>> HttpPeers::ask(std::vector<ha::Member> members, Nanos limit) {
    return ask_all<ha::Standing>(executor_, clock_, std::move(members), tls_,
                                 {.target = "/howdah/standing"}, limit, ha::parse_standing);
}

io::Task<std::vector<ha::Vote>> HttpPeers::seal(std::vector<ha::Member> members,
                                                ha::SealRequest request, Nanos limit) {
    return ask_all<ha::Vote>(executor_, clock_, std::move(members), tls_,
                             post("/howdah/seal", render(request)), limit, ha::parse_vote);
}

io::Task<std::vector<ha::PromiseAnswer>> HttpPeers::promise(std::vector<ha::Member> members,
                                                            ha::PromiseRequest request,
                                                            Nanos limit) {
    return ask_all<ha::PromiseAnswer>(executor_, clock_, std::move(members), tls_,
                                      post("/howdah/promise", render(request)), limit,
                                      ha::parse_promise_answer);
}

io::HttpRequest HttpPeers::post(std::string target, std::string body) const {
    io::HttpRequest request{.method = "POST", .target = std::move(target), .body = std::move(body)};
    if (credentials_) {
        request.headers["authorization"] =
            "Basic " + to_base64(credentials_->username + ":" + credentials_->password);
    }
    return request;
}

}  // namespace howdah::agent
