#include "dcs/etcd/etcd_store.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dcs/etcd/etcd_json.h"
#include "dcs/etcd/etcd_watch.h"
#include "io/http.h"

namespace howdah::dcs::etcd {
namespace {

// A follower forwards to its leader once and then waits 7 s: what a dying leader swallowed must be
// sent again to be heard by the next one.
constexpr Nanos longest_sending = Seconds(3);
constexpr Nanos shortest_sending = Seconds(1);
constexpr Nanos pause_between_rounds = Millis(100);

bool definite(const Result<std::string>& answer) {
    return answer ||
           (answer.error().code != Errc::unavailable && answer.error().code != Errc::timeout &&
            answer.error().code != Errc::cancelled);
}

io::HttpRequest request(const std::string& token, std::string path, std::string body) {
    io::HttpRequest result{.method = "POST",
                           .target = "/v3" + std::move(path),
                           .headers = {{"content-type", "application/json"}},
                           .body = std::move(body)};
    if (!token.empty()) {
        result.headers["authorization"] = token;
    }
    return result;
}

}  // namespace

io::Task<Result<>> log_in(io::HttpClient& client, const EtcdOptions& options, std::string& token,
                          Nanos limit) {
    const auto body = nlohmann::json{{"name", options.user}, {"password", options.password}}.dump();
    HD_CO_TRY(const auto answer,
              co_await client.send(request({}, "/auth/authenticate", body), limit));
    if (answer.status != 200) {
        co_return std::unexpected(parse_error(answer.status, answer.body).within("log in to etcd"));
    }
    const auto json = nlohmann::json::parse(answer.body, nullptr, false);
    token = json.is_object() ? json.value("token", "") : "";
    co_return Result<>{};
}

io::Task<Result<std::string>> post(io::HttpClient& client, const EtcdOptions& options,
                                   std::string& token, std::string path, std::string body,
                                   Nanos limit) {
    for (int tries = 0;; ++tries) {
        if (token.empty() && !options.user.empty()) {
            HD_CO_TRY_VOID(co_await log_in(client, options, token, limit));
        }
        HD_CO_TRY(auto answer, co_await client.send(request(token, path, body), limit));
        if (answer.status == 200) {
            co_return std::move(answer.body);
        }
        if (tries > 0 || options.user.empty() || !needs_login(answer.body)) {
            co_return std::unexpected(parse_error(answer.status, answer.body));
        }
        token.clear();
    }
}

/// One call's sendings to several endpoints.
struct EtcdStore::Race {
    io::Bell bell;
    std::size_t running = 0;
    std::optional<Result<std::string>> liked{};     ///< ends the race
    std::optional<Result<std::string>> definite{};  ///< ends it unless a better one comes soon
    std::optional<Result<std::string>> vague{};
    Instant definite_at{};
};

EtcdStore::EtcdStore(io::Executor executor, io::Clock& clock, EtcdOptions options)
    : executor_(executor), clock_(clock), options_(std::move(options)) {
    HD_CHECK(!options_.endpoints.empty());
    for (const auto& e : options_.endpoints) {
        clients_.push_back(
            std::make_unique<io::HttpClient>(executor, clock, e.host, e.port, options_.tls));
    }
    tokens_.resize(clients_.size());
}

EtcdStore::~EtcdStore() = default;

io::Task<Result<std::string>> EtcdStore::attempt(std::size_t index, std::string path,
                                                 std::string body, Nanos limit) {
    auto answer = co_await io::within(
        clock_, limit,
        post(*clients_[index], options_, tokens_[index], std::move(path), std::move(body), limit));
    if (definite(answer)) {
        preferred_ = index;
    } else {
        const auto& e = options_.endpoints[index];
        answer = std::unexpected(
            std::move(answer).error().within("etcd at " + e.host + ":" + std::to_string(e.port)));
    }
    co_return answer;
}

io::Task<Result<std::string>> EtcdStore::one_by_one(std::string path, std::string body,
                                                    Nanos limit) {
    const auto deadline = clock_.now() + limit;
    const auto first = preferred_;
    const auto count = clients_.size();
    Result<std::string> answer = fail(Errc::timeout, "no time to ask etcd");
    while (true) {
        for (std::size_t i = 0; i < count; ++i) {
            const auto left = deadline - clock_.now();
            if (left <= Nanos{}) {
                co_return answer;
            }
            answer = co_await attempt(
                (first + i) % count, path, body,
                std::min(left / static_cast<std::int64_t>(count - i), longest_sending));
            if (definite(answer)) {
                co_return answer;
            }
        }
        // All refused at once (an election, say): ask again while there is time.
        const auto next_round = clock_.now() + pause_between_rounds;
        if (next_round >= deadline || !co_await clock_.until(next_round)) {
            co_return answer;
        }
    }
}

io::Task<> EtcdStore::run_in(Race& race, std::size_t index, std::string path, std::string body,
                             Nanos limit) {
    auto answer = co_await attempt(index, std::move(path), std::move(body), limit);
    --race.running;
    if (!definite(answer)) {
        race.vague = std::move(answer);
    } else if (!race.definite) {
        race.definite = std::move(answer);
        race.definite_at = clock_.now();
    } else {
        race.liked = std::move(answer);  // judged by race()
    }
    race.bell.ring();
}

io::Task<Result<std::string>> EtcdStore::race(std::string path, std::string body, Patience patience,
                                              Likes likes) {
    const auto good = [&](const std::optional<Result<std::string>>& answer) {
        return answer && *answer && (!likes || likes(**answer));
    };
    const auto deadline = clock_.now() + patience.total;
    const auto first = preferred_;
    const auto count = clients_.size();
    Race race{.bell = io::Bell(executor_, clock_)};
    io::Scope scope(executor_);
    const auto sending =
        std::max(patience.hedge * static_cast<std::int64_t>(count), shortest_sending);
    std::size_t started = 0;
    auto next_start = clock_.now();
    while (true) {
        const auto now = clock_.now();
        const bool room = !race.definite && race.running < count;
        if (room && now < deadline &&
            (now >= next_start || (race.running == 0 && started < count))) {
            ++race.running;
            scope.spawn(run_in(race, (first + started++) % count, path, body,
                               std::min(deadline - now, sending)));
            next_start = now + std::max(patience.hedge, pause_between_rounds);
        }
        // A commit that "failed" may have failed on its own other sending: give that one a moment.
        const auto settled = race.definite ? race.definite_at + patience.hedge : deadline;
        if (good(race.definite) || race.liked || (race.definite && race.running == 0) ||
            now >= std::min(settled, deadline)) {
            break;
        }
        const auto wake = !race.definite && race.running < count ? next_start : settled;
        co_await race.bell.wait_until(std::min({wake, settled, deadline}));
        if ((co_await io::asio::this_coro::cancellation_state).cancelled() !=
            io::asio::cancellation_type::none) {
            break;
        }
    }
    co_await io::asio::this_coro::reset_cancellation_state(io::asio::disable_cancellation());
    co_await scope.close();
    if (good(race.liked) || (race.liked && !race.definite)) {
        co_return *std::move(race.liked);
    }
    if (race.definite) {
        co_return *std::move(race.definite);
    }
    if (race.vague) {
        co_return *std::move(race.vague);
    }
    co_return fail(Errc::timeout, "no answer from etcd");
}

io::Task<Result<std::string>> EtcdStore::call(std::string path, std::string body, Patience patience,
                                              Likes likes) {
    if (patience.hedge > Nanos{} && clients_.size() > 1) {
        // In a coroutine of its own, since closing a scope switches the caller's cancellation off.
        co_return co_await io::on(
            executor_, race(std::move(path), std::move(body), patience, std::move(likes)));
    }
    co_return co_await one_by_one(std::move(path), std::move(body), patience.total);
}

io::Task<Result<Snapshot>> EtcdStore::get(std::string prefix, bool stale_is_fine,
                                          Patience patience) {
    HD_CO_TRY(const auto body,
              co_await call("/kv/range", render_range(prefix, stale_is_fine), patience));
    co_return parse_range(body);
}

io::Task<Result<TxnAnswer>> EtcdStore::commit(Txn txn, Patience patience) {
    const auto succeeded = [](const std::string& body) {
        const auto answer = parse_txn(body);
        return answer && answer->succeeded;
    };
    HD_CO_TRY(const auto body, co_await call("/kv/txn", render_txn(txn), patience, succeeded));
    co_return parse_txn(body);
}

io::Task<Result<Lease>> EtcdStore::grant(Seconds ttl, Patience patience) {
    HD_CO_TRY(const auto body, co_await call("/lease/grant", render_grant(ttl), patience));
    co_return parse_grant(body);
}

io::Task<Result<>> EtcdStore::keep_alive(LeaseId lease, Patience patience) {
    HD_CO_TRY(const auto body, co_await call("/lease/keepalive", render_lease(lease), patience));
    co_return parse_keep_alive(body);
}

io::Task<Result<>> EtcdStore::revoke(LeaseId lease, Patience patience) {
    HD_CO_TRY_VOID(co_await call("/lease/revoke", render_lease(lease), patience));
    co_return Result<>{};
}

io::Task<Result<>> EtcdStore::compact(Revision revision, Patience patience) {
    const auto done = co_await call("/kv/compaction", render_compaction(revision), patience);
    if (!done && !says_compacted(done.error())) {
        co_return std::unexpected(done.error());
    }
    co_return Result<>{};
}

io::Task<Result<Space>> EtcdStore::space(Patience patience) {
    HD_CO_TRY(const auto body, co_await call("/maintenance/status", "{}", patience));
    HD_CO_TRY(const auto used, parse_db_size(body));
    co_return Space{.used = used, .limit = default_quota};
}

std::unique_ptr<Watch> EtcdStore::watch(std::string prefix, Revision from) {
    return std::make_unique<EtcdWatch>(executor_, clock_, options_, preferred_, std::move(prefix),
                                       from);
}

}  // namespace howdah::dcs::etcd
