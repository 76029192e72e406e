#include "agent/http_peers.h"

#include "base/base64.h"
#include "io/http.h"

namespace howdah::agent {
namespace {

/// One question to many, in parallel; what can't be read counts as silence.
template <class Answer>
struct Round {
    Result<Answer> (*read)(const std::string&);
    std::vector<Answer> answers{};
    std::size_t open = 0;
    io::Bell done;
};

template <class Answer>
io::Task<> ask_one(io::Executor executor, io::Clock& clock, ha::Member::Address to,
                   io::HttpRequest request, Nanos limit, Round<Answer>& round) {
    io::HttpClient client(executor, clock, to.host, to.port);
    const auto answer = co_await client.send(std::move(request), limit);
    if (answer && answer->status == 200) {
        if (auto read = round.read(answer->body)) {
            round.answers.push_back(*std::move(read));
        }
    }
    if (--round.open == 0) {
        round.done.ring();
    }
}

template <class Answer>
io::Task<std::vector<Answer>> ask_all(io::Executor executor, io::Clock& clock,
                                      std::vector<ha::Member> members, io::HttpRequest request,
                                      Nanos limit, Result<Answer> (*read)(const std::string&)) {
    const auto until = clock.now() + limit;
    Round<Answer> round{.read = read, .done = io::Bell(executor, clock)};
    io::Scope scope(executor);
    for (const auto& member : members) {
        const auto address = member.api_address();
        if (!address || member.is_patroni()) {
            continue;
        }
        ++round.open;
        scope.spawn([executor, &clock, to = *address, request, limit, &round] {
            return ask_one<Answer>(executor, clock, to, request, limit, round);
        });
    }
    if (round.open > 0) {
        (void)co_await round.done.wait_until(until);
    }
    co_await scope.close();
    co_return std::move(round.answers);
}

}  // namespace

io::Task<std::vector<ha::Standing>> HttpPeers::ask(std::vector<ha::Member> members, Nanos limit) {
    return ask_all<ha::Standing>(executor_, clock_, std::move(members),
                                 {.target = "/howdah/standing"}, limit, ha::parse_standing);
}

io::Task<std::vector<ha::Vote>> HttpPeers::seal(std::vector<ha::Member> members,
                                                ha::SealRequest request, Nanos limit) {
    return ask_all<ha::Vote>(executor_, clock_, std::move(members),
                             post("/howdah/seal", render(request)), limit, ha::parse_vote);
}

io::Task<std::vector<ha::PromiseAnswer>> HttpPeers::promise(std::vector<ha::Member> members,
                                                            ha::PromiseRequest request,
                                                            Nanos limit) {
    return ask_all<ha::PromiseAnswer>(executor_, clock_, std::move(members),
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
