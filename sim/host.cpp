#include "host.h"

#include <fmt/format.h>

#include "world.h"

namespace howdah::sim {
namespace {

config::AgentConfig config_of(const World& world, const Host& host) {
    config::AgentConfig config{.scope = "sim", .name = host.name};
    config.restapi.connect_address = {.host = host.address, .port = 8008};
    config.bootstrap = config::Bootstrap{.dcs_json = world.profile.config_json()};
    config.postgresql.connect_address = {.host = host.address, .port = 5432};
    return config;
}

agent::Identity identity_of(const Host& host, std::uint64_t number) {
    return {.uuid = host.uuid,
            .name = host.name,
            .incarnation = fmt::format("{}-{}", host.name, number)};
}

}  // namespace

AgentRun::AgentRun(World& world, Host& host, std::uint64_t number)
    : store(world.etcd, world.random.next(), host.agent_clock),
      keeper_store(world.etcd, world.random.next(), host.agent_clock),
      feed(host.agent_clock, store, world.prefix()),
      keeper(world.context.get_executor(), host.agent_clock, keeper_store, world.prefix(),
             identity_of(host, number), host.disk, host.disk, host,
             [this](agent::Keeping keeping) { agent.heed(std::move(keeping)); }),
      agent({.executor = world.context.get_executor(),
             .clock = host.agent_clock,
             .config = config_of(world, host),
             .identity = identity_of(host, number),
             .instance = host.postgres,
             .keeper = keeper,
             .store = store,
             .feed = feed,
             .peers = host,
             .durable = host.disk,
             .deadlines = host.disk}),
      scope(world.context.get_executor()),
      incarnation(identity_of(host, number).incarnation) {
    world.connect(store, host.node);
    world.connect(keeper_store, host.node);
    agent.on_plan(
        [&world, &host](const ha::View& v, const ha::Plan& p) { world.on_plan(host, v, p); });
}

void AgentRun::begin() {
    scope.spawn([this] { return feed.run(); });
    scope.spawn([this] { return keeper.run(); });
    scope.spawn([this]() -> io::Task<> { (void)co_await agent.run(); });
}

Host::Host(World& in, int number, Nanos offset, std::int64_t ppm)
    : world(in),
      node(number),
      name(fmt::format("pgvm{}", number + 1)),
      uuid("uuid-" + name),
      address(fmt::format("127.0.52.{}", 81 + number)),
      clock(in.clock, offset, ppm),
      agent_clock(in.clock, offset, ppm),
      postgres(clock, in.servers, name, address, 5432) {
    disk.on_arm = [this] { arm_fencer(); };
    postgres.on_writable = [this] { world.checks.writable_changed(*this); };
    postgres.on_destructive = [this](instance::JobKind) { world.checks.destructive_step(*this); };
}

Host::~Host() = default;

/// The fencer's timer: it may fire late, but within F.
void Host::arm_fencer() {
    const auto at = disk.armed();
    if (at == fencer_armed_for_) {
        return;
    }
    fencer_armed_for_ = at;
    clock.call_off(kill_);
    clock.call_off(overdue_);
    if (at.never()) {
        return;
    }
    const auto late = Nanos(world.random.between(0, world.profile.fencer_late.count()));
    kill_ = clock.at(at + late, [this] {
        if (postgres.role() == ha::Role::primary && !postgres.tree_dead()) {
            world.say(name, "the fencer kills PostgreSQL: its deadline has come");
            postgres.fence_now();
        }
    });
    overdue_ = clock.at(at + world.profile.lease.fence_budget + Nanos(1),
                        [this] { world.checks.deadline_passed(*this); });
}

void Host::start_agent() {
    if (!run_ && powered_) {
        run_ = std::make_unique<AgentRun>(world, *this, ++runs_);
        last_incarnation_ = run_->incarnation;
        run_->begin();
    }
}

io::Task<> Host::kill_agent() {
    if (!run_) {
        co_return;
    }
    const auto run = std::exchange(run_, nullptr);
    run->store.faults.reachable = run->keeper_store.faults.reachable = false;
    postgres.lose_agent();
    co_await run->scope.close();
    co_await run->agent.close();
}

void Host::pause(bool hidden) {
    for (auto* one : {&clock, &agent_clock}) {
        one->hold();
        if (hidden) {
            one->stop_time();
        }
    }
}

void Host::resume(bool hidden) {
    for (auto* one : {&clock, &agent_clock}) {
        if (hidden) {
            one->resume_time();
        }
        one->release();
    }
}

io::Task<> Host::lose_power() {
    powered_ = false;
    postgres.lose_power();
    disk.arm({});
    co_await kill_agent();
}

void Host::power_on() {
    powered_ = true;
    start_agent();
}

void Host::order_switchover(std::string candidate) {
    if (!run_) {
        return;
    }
    run_->scope.spawn([run = run_.get(), from = name, to = std::move(candidate)] {
        return [](AgentRun* r, std::string leader, std::string other) -> io::Task<> {
            (void)co_await r->agent.switchover({.leader = leader, .candidate = other});
        }(run, from, to);
    });
}

/// Questions to several members, and the answers that came back in time.
template <class Answer>
struct Host::Round {
    explicit Round(io::Executor executor) : done(std::move(executor)) {}
    std::vector<Answer> answers{};
    std::size_t missing = 0;
    io::Parking done;
};

template <class Answer>
io::Task<std::vector<Answer>> Host::round(
    std::vector<ha::Member> members, Nanos limit,
    std::function<void(Host&, std::function<void(Answer)>)> question) {
    const auto all = std::make_shared<Round<Answer>>(world.context.get_executor());
    for (const auto& other : world.hosts) {
        const auto asked = std::any_of(members.begin(), members.end(),
                                       [&](const auto& m) { return m.name == other->name; });
        if (!asked || other.get() == this) {
            continue;
        }
        ++all->missing;
        const auto there = world.network->packet(node, other->node);
        if (!there) {
            continue;
        }
        auto answered = [this, all, o = other.get()](Answer answer) {
            if (const auto back = world.network->packet(o->node, node)) {
                agent_clock.arrive(world.clock.now() + *back, [all, a = std::move(answer)] {
                    all->answers.push_back(a);
                    if (--all->missing == 0) {
                        all->done.wake_all();
                    }
                });
            }
        };
        other->agent_clock.arrive(world.clock.now() + *there,
                                  [o = other.get(), question, answered] {
                                      if (o->agent_lives()) {
                                          question(*o, answered);
                                      }
                                  });
    }
    if (all->missing > 0) {
        const auto timer =
            agent_clock.at(agent_clock.now() + limit, [all] { all->done.wake_all(); });
        co_await all->done.wait();
        agent_clock.call_off(timer);
    }
    co_return all->answers;
}

io::Task<std::vector<ha::Standing>> Host::ask(std::vector<ha::Member> members, Nanos limit) {
    return round<ha::Standing>(std::move(members), limit, [](Host& other, auto answered) {
        answered(other.agent().standing());
    });
}

namespace {

io::Task<> seal_one(agent::Agent* agent, ha::SealRequest request,
                    std::function<void(ha::Vote)> answered) {
    answered(co_await agent->seal(std::move(request)));
}

}  // namespace

io::Task<std::vector<ha::Vote>> Host::seal(std::vector<ha::Member> members, ha::SealRequest request,
                                           Nanos limit) {
    return round<ha::Vote>(
        std::move(members), limit, [request](Host& other, std::function<void(ha::Vote)> answered) {
            other.run_->scope.spawn([agent = &other.run_->agent, request, answered] {
                return seal_one(agent, request, answered);
            });
        });
}

io::Task<std::vector<ha::PromiseAnswer>> Host::promise(std::vector<ha::Member> members,
                                                       ha::PromiseRequest request, Nanos limit) {
    return round<ha::PromiseAnswer>(
        std::move(members), limit,
        [request](Host& other, auto answered) { answered(other.agent().promise(request)); });
}

}  // namespace howdah::sim
