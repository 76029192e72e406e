#include "agent/http_peers.h"

#include "io/http.h"

namespace howdah::agent {
namespace {

struct Round {
    std::vector<ha::Standing> answers{};
    std::size_t open = 0;
    io::Bell done;
};

io::Task<> ask_one(io::Executor executor, io::Clock& clock, ha::Member::Address to, Nanos limit,
                   Round& round) {
    io::HttpClient client(executor, clock, to.host, to.port);
    const auto answer = co_await client.send({.target = "/howdah/standing"}, limit);
    if (answer && answer->status == 200) {
        if (auto standing = ha::parse_standing(answer->body)) {
            round.answers.push_back(*std::move(standing));
        }
    }
    if (--round.open == 0) {
        round.done.ring();
    }
}

}  // namespace

io::Task<std::vector<ha::Standing>> HttpPeers::ask(std::vector<ha::Member> members, Nanos limit) {
    const auto until = clock_.now() + limit;
    Round round{.done = io::Bell(executor_, clock_)};
    io::Scope scope(executor_);
    for (const auto& member : members) {
        const auto address = member.api_address();
        if (!address || member.is_patroni()) {
            continue;
        }
        ++round.open;
        scope.spawn([this, to = *address, limit, &round] {
            return ask_one(executor_, clock_, to, limit, round);
        });
    }
    if (round.open > 0) {
        (void)co_await round.done.wait_until(until);
    }
    co_await scope.close();
    co_return std::move(round.answers);
}

}  // namespace howdah::agent
