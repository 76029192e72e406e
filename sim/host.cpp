#include "host.h"

#include <fmt/format.h>

#include "questions.h"
#include "world.h"

namespace howdah::sim {
namespace {

constexpr double repeated_answers = 0.2;
constexpr std::ptrdiff_t repeated_at_most = 8;

config::AgentConfig config_of(const World& world, const Host& host) {
    config::AgentConfig config{.scope = "sim", .name = host.name};
    config.restapi.connect_address = {.host = host.address, .port = 8008};
    config.bootstrap = config::Bootstrap{.dcs_json = world.profile.config_json()};
    config.postgresql.connect_address = {.host = host.address, .port = 5432};
    config.nofailover = host.nofailover;
    config.tags_json = host.nofailover ? R"({"nofailover":true})" : "";
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
             identity_of(host, number), host.disk, host.disk, host, watchdog, wake,
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
             .deadlines = host.disk,
             .watchdog = watchdog,
             .wake = wake}),
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
    scope.spawn([this] { return live(); });
}

/// An agent that halts ends its process.
io::Task<> AgentRun::live() {
    (void)co_await agent.run();
    over = true;
    store.faults.reachable = keeper_store.faults.reachable = false;
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
    disk.on_store = [this] { world.checks.epoch_stored(*this); };
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
    disk.lose_power();
    co_await kill_agent();
}

io::Task<> Host::mount(bool foreign) {
    co_await lose_power();
    postgres.mount(foreign);
    power_on();
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

void Host::order_restart() {
    if (run_) {
        run_->scope.spawn([run = run_.get()] {
            return [](AgentRun* r) -> io::Task<> { (void)co_await r->agent.restart({}); }(run);
        });
    }
}

void Host::tag_nofailover(bool on) {
    nofailover = on;
    if (run_) {
        run_->agent.take_file(config_of(world, *this));
    }
}

void Host::order_copy(bool force) {
    if (run_) {
        (void)run_->agent.reinitialize(force);
    }
}

std::vector<Host*> Host::others(const std::vector<ha::Member>& members) const {
    std::vector<Host*> all;
    for (const auto& other : world.hosts) {
        const auto asked = std::any_of(members.begin(), members.end(),
                                       [&](const auto& m) { return m.name == other->name; });
        if (asked && other.get() != this) {
            all.push_back(other.get());
        }
    }
    return all;
}

io::Task<std::vector<ha::Standing>> Host::ask(std::vector<ha::Member> members, Nanos limit) {
    return ask_hosts<ha::Standing>(
        world, node, agent_clock, others(members), limit,
        [](Host& other, auto answered) { answered(other.agent().standing()); });
}

namespace {

io::Task<> seal_one(agent::Agent* agent, ha::SealRequest request,
                    std::function<void(ha::Vote)> answered) {
    answered(co_await agent->seal(std::move(request)));
}

}  // namespace

io::Task<std::vector<ha::Vote>> Host::seal(std::vector<ha::Member> members, ha::SealRequest request,
                                           Nanos limit) {
    return ask_hosts<ha::Vote>(
        world, node, agent_clock, others(members), limit,
        [request](Host& other, std::function<void(ha::Vote)> answered) {
            other.run_->scope.spawn([agent = &other.run_->agent, request, answered] {
                return seal_one(agent, request, answered);
            });
        });
}

io::Task<std::vector<ha::PromiseAnswer>> Host::promise(std::vector<ha::Member> members,
                                                       ha::PromiseRequest request, Nanos limit) {
    auto answers = co_await ask_hosts<ha::PromiseAnswer>(
        world, node, agent_clock, others(members), limit,
        [request](Host& other, auto answered) { answered(other.agent().promise(request)); });
    // Something on the way repeats what it carried before.
    const auto fresh = answers;
    std::copy_if(earlier_.begin(), earlier_.end(), std::back_inserter(answers),
                 [this](const auto&) { return world.random.chance(repeated_answers); });
    earlier_.insert(earlier_.end(), fresh.begin(), fresh.end());
    if (std::ssize(earlier_) > repeated_at_most) {
        earlier_.erase(earlier_.begin(), earlier_.end() - repeated_at_most);
    }
    co_return answers;
}

}  // namespace howdah::sim
