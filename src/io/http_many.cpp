#include "io/http_many.h"

namespace howdah::io {
namespace {

struct Round {
    std::vector<std::string> bodies{};
    std::size_t open = 0;
    Bell done;
};

Task<> ask_one(Executor executor, Clock& clock, HttpAddress server, HttpRequest request,
               Nanos limit, Round& round) {
    HttpClient client(executor, clock, server.host, server.port, server.tls);
    auto answer = co_await client.send(std::move(request), limit);
    if (answer && answer->status == 200) {
        round.bodies.push_back(std::move(answer->body));
    }
    if (--round.open == 0) {
        round.done.ring();
    }
}

}  // namespace

Task<std::vector<std::string>> ask_many(Executor executor, Clock& clock,
                                        std::vector<HttpAddress> servers, HttpRequest request,
                                        Nanos limit) {
    const auto until = clock.now() + limit;
    Round round{.open = servers.size(), .done = Bell(executor, clock)};
    Scope scope(executor);
    for (auto& server : servers) {
        scope.spawn([executor, &clock, to = std::move(server), request, limit, &round] {
            return ask_one(executor, clock, to, request, limit, round);
        });
    }
    if (round.open > 0) {
        (void)co_await round.done.wait_until(until);
    }
    co_await scope.close();
    co_return std::move(round.bodies);
}

}  // namespace howdah::io
