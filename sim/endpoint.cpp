#include "endpoint.h"

#include <algorithm>

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
      loop_({.executor = in.context.get_executor(),
             .clock = clock,
             .attempts = store_,
             .wake = wake_,
             .prefix = in.prefix(),
             .id = "sim",
             .ask_members = [this](Nanos limit) { return ask_members(limit); },
             .on_change = [] {}}),
      follower_(clock, watch_store_, in.prefix(),
                [this] {
                    const auto& cluster = *follower_.current();
                    loop_.hint({.record = cluster.record, .store_revision = cluster.revision});
                }),
      scope_(in.context.get_executor()) {
    in.connect(store_, node);
    in.connect(watch_store_, node);
}

Endpoint::~Endpoint() = default;

void Endpoint::begin() {
    scope_.spawn([this] { return loop_.run(); });
    scope_.spawn([this] { return follower_.run(); });
    for (int i = 0; i < world.profile.clients; ++i) {
        clients_.push_back(std::make_unique<Client>(*this, world.random.next()));
        clients_.back()->next();
    }
}

io::Task<> Endpoint::close() {
    return scope_.close();
}

io::Task<std::vector<ha::Vouch>> Endpoint::ask_members(Nanos limit) {
    std::vector<Host*> hosts;
    std::ranges::transform(world.hosts, std::back_inserter(hosts),
                           [](const auto& host) { return host.get(); });
    return ask_hosts<ha::Vouch>(world, node, clock, std::move(hosts), limit,
                                [](Host& h, auto answered) { answered(h.agent().vouch()); });
}

bool Endpoint::stands_for(const Host& host, ha::Epoch epoch, bool fits, std::uint64_t life) {
    const auto known = verified_ && verified_->host == &host && verified_->epoch == epoch;
    if (!fits || (known && verified_->life != life)) {
        loop_.lost(host.uuid, epoch);
    }
    const auto goes_on = fits && (!known || verified_->life == life);
    if (fits) {
        verified_ = Verified{.host = &host, .epoch = epoch, .life = life};
    }
    return goes_on;
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
            const auto stands = endpoint_.stands_for(*host, epoch, fits, life);
            const auto now = endpoint_.route();
            if (!stands || !now.open || now.doubted || now.epoch != epoch) {
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
