#include "host.h"

#include <fmt/format.h>

#include "world.h"

namespace howdah::sim {
namespace {

config::AgentConfig config_of(Host& host) {
    config::AgentConfig config{.scope = "sim", .name = host.name};
    config.restapi.connect_address = {.host = host.address, .port = 8008};
    config.bootstrap = config::Bootstrap{.dcs_json = host.world.draw_configuration()};
    config.postgresql.connect_address = {.host = host.address, .port = 5432};
    return config;
}

agent::Identity identity_of(const Host& host, std::uint64_t incarnation) {
    return {.uuid = "uuid-" + host.name,
            .name = host.name,
            .incarnation = fmt::format("{}-{}", host.name, incarnation)};
}

}  // namespace

AgentRun::AgentRun(World& world, Host& host, std::uint64_t incarnation)
    : store(world.etcd, world.random.next()),
      keeper_store(world.etcd, world.random.next()),
      feed(world.clock, store, world.prefix()),
      keeper(world.context.get_executor(), world.clock, keeper_store, world.prefix(),
             identity_of(host, incarnation), host.disk, host.disk, host,
             [this](agent::Keeping keeping) { agent.heed(std::move(keeping)); }),
      agent({.executor = world.context.get_executor(),
             .clock = world.clock,
             .config = config_of(host),
             .identity = identity_of(host, incarnation),
             .instance = host.postgres,
             .keeper = keeper,
             .store = store,
             .feed = feed,
             .peers = host,
             .durable = host.disk,
             .deadlines = host.disk}),
      scope(world.context.get_executor()) {
    for (auto* client : {&store, &keeper_store}) {
        client->faults = {.min_delay = Millis(1),
                          .max_delay = Millis(8),
                          .lose_request = 0.002,
                          .lose_answer = 0.002};
    }
    agent.on_plan(
        [&world, &host](const ha::View& v, const ha::Plan& p) { world.on_plan(host, v, p); });
}

void AgentRun::begin() {
    scope.spawn([this] { return feed.run(); });
    scope.spawn([this] { return keeper.run(); });
    scope.spawn([this]() -> io::Task<> { (void)co_await agent.run(); });
}

Host::Host(World& in, int number)
    : world(in),
      name(fmt::format("pgvm{}", number)),
      address(fmt::format("127.0.52.{}", 80 + number)),
      postgres(in.clock, in.servers, name, address, 5432) {
    postgres.kill_at = [this] { return disk.armed(); };
}

void Host::start_agent() {
    if (!run_) {
        run_ = std::make_unique<AgentRun>(world, *this, ++incarnations_);
        run_->begin();
        isolate(isolated_);
    }
}

io::Task<> Host::kill_agent() {
    if (!run_) {
        co_return;
    }
    run_->store.faults.reachable = run_->keeper_store.faults.reachable = false;
    postgres.lose_agent();
    co_await run_->scope.close();
    co_await run_->agent.close();
    run_.reset();
}

void Host::order_switchover(std::string candidate) {
    run_->scope.spawn([this, to = std::move(candidate)]() -> io::Task<> {
        (void)co_await run_->agent.switchover({.leader = name, .candidate = to});
    });
}

void Host::isolate(bool cut) {
    isolated_ = cut;
    if (run_) {
        run_->store.faults.reachable = run_->keeper_store.faults.reachable =
            !cut && !world.store_lost;
    }
}

io::Task<std::vector<ha::Standing>> Host::ask(std::vector<ha::Member> members, Nanos limit) {
    std::vector<ha::Standing> answers;
    const auto delay = Millis(world.random.between(1, 30));
    const auto until = world.clock.now() + std::min<Nanos>(delay, limit);
    (void)co_await world.clock.until(until);
    for (const auto& other : world.hosts) {
        const auto asked = std::any_of(members.begin(), members.end(),
                                       [&](const auto& m) { return m.name == other->name; });
        if (asked && other->agent_lives() && !isolated_ && !other->isolated() &&
            world.random.chance(0.95)) {
            answers.push_back(other->agent().standing());
        }
    }
    co_return answers;
}

io::Task<std::vector<ha::Vote>> Host::seal(std::vector<ha::Member> members, ha::SealRequest request,
                                           Nanos limit) {
    std::vector<ha::Vote> votes;
    const auto until = world.clock.now() + limit;
    for (const auto& other : world.hosts) {
        const auto asked = std::any_of(members.begin(), members.end(),
                                       [&](const auto& m) { return m.name == other->name; });
        if (asked && other->agent_lives() && !isolated_ && !other->isolated() &&
            world.random.chance(0.95) && world.clock.now() < until) {
            votes.push_back(co_await other->agent().seal(request));
        }
    }
    co_return votes;
}

io::Task<std::vector<ha::PromiseAnswer>> Host::promise(std::vector<ha::Member> members,
                                                       ha::PromiseRequest request, Nanos limit) {
    std::vector<ha::PromiseAnswer> answers;
    const auto until = world.clock.now() + limit;
    for (const auto& other : world.hosts) {
        const auto asked = std::any_of(members.begin(), members.end(),
                                       [&](const auto& m) { return m.name == other->name; });
        if (!asked) {
            continue;
        }
        (void)co_await world.clock.until(world.clock.now() + Millis(world.random.between(1, 10)));
        if (other->agent_lives() && !isolated_ && !other->isolated() && world.random.chance(0.98) &&
            world.clock.now() < until) {
            answers.push_back(other->agent().promise(request));
        }
    }
    co_return answers;
}

}  // namespace howdah::sim
