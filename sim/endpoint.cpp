#include "endpoint.h"

#include <algorithm>

#include "agent/lease_keeper.h"
#include "questions.h"
#include "world.h"

namespace howdah::sim {
namespace {

constexpr Nanos patience = Seconds(4);  // of a client with an answer

}  // namespace

Endpoint::Endpoint(World& in, int number, Nanos offset, std::int64_t ppm)
    : world(in),
      node(number),
      clock(in.clock, offset, ppm),
      store_(in.etcd, in.random.next(), clock),
      watch_store_(in.etcd, in.random.next(), clock),
      scope_(in.context.get_executor()) {
    in.connect(store_, node);
    in.connect(watch_store_, node);
}

Endpoint::~Endpoint() = default;

void Endpoint::begin() {
    scope_.spawn([this] { return attempt_for_ever(); });
    scope_.spawn([this] { return watch_for_ever(); });
    for (int i = 0; i < world.profile.clients; ++i) {
        clients_.push_back(std::make_unique<Client>(*this, world.random.next()));
        clients_.back()->next();
    }
}

io::Task<> Endpoint::close() {
    return scope_.close();
}

proxy::Seen Endpoint::seen(const std::vector<dcs::KeyValue>& found, dcs::Revision revision) const {
    return {.record = agent::sighting(found, world.record_key, world.leader_key),
            .store_revision = revision};
}

io::Task<> Endpoint::attempt_for_ever() {
    while (true) {
        const auto began = clock.now();
        const auto attempt = gate_.begin_attempt(began);
        dcs::Txn txn;
        txn.then.emplace_back(
            dcs::Put{.key = world.endpoint_key, .value = std::to_string(attempt)});
        txn.then.emplace_back(dcs::Get{world.record_key});
        txn.then.emplace_back(dcs::Get{world.leader_key});
        const auto answer = co_await store_.commit(
            std::move(txn), {.total = gate_.attempt_every(), .hedge = gate_.hedge_after()});
        if (answer) {
            gate_.answer(attempt, seen(answer->found, answer->revision));
        } else if (answer.error().code == Errc::cancelled) {
            co_return;
        }
        if (needs_vouching()) {
            asking_members_ = true;
            scope_.spawn([this] { return ask_members(); });
        }
        const auto next = began + gate_.attempt_every();
        if (!co_await clock.until(next)) {
            co_return;
        }
        wake_.overslept(std::max(next, clock.now() - gate_.attempt_every()), clock.now(),
                        6 * gate_.attempt_every());
        heed_pauses();
    }
}

/// As the product's endpoint does (F6).
void Endpoint::heed_pauses() {
    wake_.wake(clock.now(), clock.wall_nanos());
    if (wake_.pauses() != heeded_pauses_) {
        heeded_pauses_ = wake_.pauses();
        gate_.doubt(clock.now());
    }
}

/// As the product's endpoint does (G4).
bool Endpoint::needs_vouching() const {
    const auto record = gate_.resting_on();
    const auto route = gate_.route(clock.now());
    return record && !asking_members_ &&
           (route.doubted || route.deadline < clock.now() + Nanos(record->ttl) / 2);
}

io::Task<> Endpoint::ask_members() {
    const auto sent = clock.now();
    const auto record = gate_.resting_on();
    std::vector<Host*> hosts;
    std::ranges::transform(world.hosts, std::back_inserter(hosts),
                           [](const auto& host) { return host.get(); });
    if (record) {
        gate_.vouch(sent, co_await ask_hosts<ha::Vouch>(
                              world, node, clock, std::move(hosts), Nanos(record->ttl) / 6,
                              [](Host& h, auto answered) { answered(h.agent().vouch()); }));
    }
    asking_members_ = false;
}

io::Task<> Endpoint::watch_for_ever() {
    dcs::Revision from = 1;
    std::vector<dcs::KeyValue> keys(2);
    while (true) {
        const auto watch = watch_store_.watch(world.prefix(), from);
        while (true) {
            const auto events = co_await watch->next();
            if (!events && events.error().code == Errc::cancelled) {
                co_return;
            }
            if (!events) {
                break;
            }
            auto news = false;
            for (const auto& event : *events) {
                const auto at = event.kv.key == world.record_key   ? 0U
                                : event.kv.key == world.leader_key ? 1U
                                                                   : 2U;
                if (at < 2) {
                    keys[at] = event.deleted ? dcs::KeyValue{} : event.kv;
                    news = true;
                }
            }
            from = events->back().kv.mod_revision + 1;
            if (news) {
                gate_.hint(seen(keys, from - 1));
            }
        }
        from = world.etcd.compacted() + 1;
        if (!co_await clock.until(clock.now() + Millis(200))) {
            co_return;
        }
    }
}

void Client::next() {
    const auto pause = random_.between(0, 2 * endpoint_.world.profile.client_pause.count());
    ++number_;
    endpoint_.clock.call_off(timeout_);
    endpoint_.clock.at(endpoint_.clock.now() + Nanos(pause), [this] { begin(); });
}

void Client::begin() {
    const auto route = endpoint_.route();
    if (connection_ && (!route.open || connection_->epoch != route.epoch ||
                        connection_->host->uuid != route.member)) {
        connection_.reset();  // X1, X2: cut
    }
    ++number_;
    timeout_ = endpoint_.clock.at(endpoint_.clock.now() + patience, [this] { fail(); });
    if (connection_) {
        send_statement();
    } else if (route.open && !route.doubted) {
        open(route);
    } else {
        ++endpoint_.world.report().held;
        next();
    }
}

void Client::fail() {
    ++endpoint_.world.report().unknown;
    connection_.reset();
    next();
}

void Client::carry(Host& host, std::function<void()> then) {
    auto& world = endpoint_.world;
    if (const auto there = world.network->stream(endpoint_.node, host.node)) {
        host.clock.arrive(world.clock.now() + *there, std::move(then));
    }
}

void Client::carry_back(Host& host, std::uint64_t number, std::function<void()> then) {
    auto& world = endpoint_.world;
    if (const auto back = world.network->stream(host.node, endpoint_.node)) {
        endpoint_.clock.arrive(world.clock.now() + *back, [this, number, f = std::move(then)] {
            if (number == number_) {
                f();
            }
        });
    }
}

void Client::open(const proxy::Route& route) {
    auto* host = endpoint_.world.host_of(route.member);
    if (host == nullptr) {
        return next();
    }
    carry(*host, [this, host, route, number = number_] {
        const auto& pg = host->postgres;
        const auto timeline = pg.history()->empty() ? 0 : pg.history()->back().timeline;
        const auto fits =
            pg.accepting() && pg.role() == ha::Role::primary && timeline == route.timeline;
        carry_back(*host, number, [this, host, fits, life = pg.life(), epoch = route.epoch] {
            const auto now = endpoint_.route();
            if (!fits || !now.open || now.doubted || now.epoch != epoch) {
                return next();
            }
            connection_ = Connection{.host = host, .epoch = epoch, .life = life};
            send_statement();
        });
    });
}

void Client::send_statement() {
    const auto route = endpoint_.route();
    endpoint_.world.checks.statement_sent(connection_->epoch, endpoint_.newest_epoch(),
                                          endpoint_.clock.now(), route.deadline);
    const auto reads = random_.chance(0.2);
    carry(*connection_->host, [this, host = connection_->host, number = number_, reads,
                               life = connection_->life, epoch = connection_->epoch] {
        auto& pg = host->postgres;
        if (life != pg.life()) {
            return carry_back(*host, number, [this] { fail(); });
        }
        if (reads) {
            return carry_back(*host, number, [this, mark = pg.visible(), epoch] {
                answered({.end = instance::CommitEnd::done, .mark = mark}, true, epoch);
            });
        }
        const auto bytes = static_cast<std::uint64_t>(random_.between(50, 500));
        pg.commit(bytes, [this, host, number, epoch](instance::Committed how) {
            carry_back(*host, number, [this, how, epoch] { answered(how, false, epoch); });
        });
    });
}

void Client::answered(instance::Committed how, bool reads, ha::Epoch epoch) {
    auto& world = endpoint_.world;
    const auto route = endpoint_.route();
    if (!route.open || route.epoch != epoch) {
        return fail();  // the session was cut before the answer could pass
    }
    switch (how.end) {
        case instance::CommitEnd::done:
            ++(reads ? world.report().reads : world.report().writes);
            world.checks.acknowledged(how.mark);
            world.note_served();
            break;
        case instance::CommitEnd::warned:
            // X3: error 40003, and the session ends.
            world.checks.warned_commit_told_as(false);
            connection_.reset();
            break;
        case instance::CommitEnd::refused:
            connection_.reset();
            break;
        case instance::CommitEnd::lost:
            return fail();
    }
    next();
}

}  // namespace howdah::sim
