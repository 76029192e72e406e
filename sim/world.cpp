#include "world.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace howdah::sim {
namespace {

constexpr Nanos step_every = Millis(5);
/// P5: 4T + 10 s, and the slowest start of the model.
constexpr Nanos back_within = Seconds(4 * 5 + 10);
/// A run that has not made any progress in virtual time after this many turns hangs.
constexpr std::uint64_t turns_at_most = 200'000'000;

}  // namespace

World::World(Options o)
    : etcd(context.get_executor(), clock), random(o.seed), options(o), clients_(random) {
    servers.reaches = [this](const std::string& from, const std::string& to) {
        return std::none_of(hosts.begin(), hosts.end(), [&](const auto& h) {
            return h->isolated() && (h->name == from || h->name == to);
        });
    };
    etcd.on_event = [this](const dcs::Event& event) { heed(event); };
    for (int i = 1; i <= options.hosts; ++i) {
        hosts.push_back(std::make_unique<Host>(*this, i));
    }
}

World::~World() = default;

Report World::run() {
    auto finished = false;
    io::asio::co_spawn(context, live(), [&finished](std::exception_ptr error) {
        finished = true;
        if (error) {
            std::rethrow_exception(error);
        }
    });
    std::uint64_t turns = 0;
    while (!finished && clock.advance(context)) {
        if (++turns > turns_at_most) {
            violation("the simulation does not end (I12)");
            break;
        }
    }
    return report_;
}

io::Task<> World::live() {
    for (auto& host : hosts) {
        host->start_agent();
    }
    const auto calm_until = clock.now() + Seconds(20);
    const auto end = clock.now() + options.lasts;
    auto next_fault = calm_until;
    while (clock.now() < end && report_.violations.empty()) {
        (void)co_await clock.until(clock.now() + step_every);
        step();
        if (clock.now() >= next_fault) {
            co_await one_fault();
            next_fault = clock.now() + Millis(random.between(500, 20'000));
        }
        for (auto it = repairs_.begin(); it != repairs_.end();) {
            if (clock.now() >= it->first) {
                auto repair = std::move(it->second);
                it = repairs_.erase(it);
                co_await repair();
            } else {
                ++it;
            }
        }
    }
    co_await heal();
    for (auto& host : hosts) {
        co_await host->kill_agent();
    }
}

io::Task<> World::heal() {
    say("faults stop");
    repairs_.clear();
    lose_store(false);
    for (auto& host : hosts) {
        host->isolate(false);
        host->start_agent();
    }
    const auto until = clock.now() + back_within;
    while (clock.now() < until && report_.violations.empty()) {
        (void)co_await clock.until(clock.now() + step_every);
        step();
        if (writable_host() != nullptr) {
            co_return;
        }
    }
    if (report_.violations.empty()) {
        violation("not writable again within 4T + 10 s after the faults stopped (P5)");
    }
}

/// Biased to the holder: there the interesting things break.
io::Task<> World::one_fault() {
    auto* holder = writable_host();
    auto& victim = holder != nullptr && random.chance(0.7) ? *holder : pick();
    const auto lasts = Millis(random.between(100, 15'000));
    const auto repair = [this, lasts](std::function<io::Task<>()> how) {
        repairs_.emplace_back(clock.now() + lasts, std::move(how));
    };
    auto* v = &victim;
    switch (random.between(0, 8)) {
        case 0:
            say(fmt::format("{}: the postmaster is killed", v->name));
            v->postgres.crash();
            break;
        case 1:
            say(fmt::format("{}: the agent is killed for {} ms", v->name, lasts.count()));
            co_await v->kill_agent();
            repair([v]() -> io::Task<> {
                v->start_agent();
                co_return;
            });
            break;
        case 2:
            say(fmt::format("{}: agent and postmaster are killed for {} ms", v->name,
                            lasts.count()));
            co_await v->kill_agent();
            v->postgres.crash();
            repair([v]() -> io::Task<> {
                v->start_agent();
                co_return;
            });
            break;
        case 3:
            say(fmt::format("{}: cut off for {} ms", v->name, lasts.count()));
            v->isolate(true);
            repair([v]() -> io::Task<> {
                v->isolate(false);
                co_return;
            });
            break;
        case 4:
            say(fmt::format("{}: receives no WAL for {} ms", v->name, lasts.count()));
            v->postgres.stall_receiving(clock.now() + lasts);
            break;
        case 5:
            operate();
            break;
        case 6:
            say(fmt::format("the store answers nobody for {} ms", lasts.count()));
            lose_store(true);
            repair([this]() -> io::Task<> {
                lose_store(false);
                co_return;
            });
            break;
        default:
            if (holder != nullptr && holder->agent_lives()) {
                auto& candidate = pick();
                say(fmt::format("an operator asks for a switchover to {}", candidate.name));
                holder->order_switchover(candidate.name);
            }
    }
}

void World::lose_store(bool lost) {
    store_lost = lost;
    for (auto& host : hosts) {
        host->isolate(host->isolated());
    }
}

/// An operator writes another configuration, or deletes what he should not.
void World::operate() {
    if (etcd.range(prefix() + "config").keys.empty()) {
        return;
    }
    dcs::Txn txn;
    if (random.chance(0.1)) {
        say("an operator deletes the leader record");
        txn.then = {dcs::Delete{prefix() + "howdah"}, dcs::Delete{prefix() + "leader"}};
    } else {
        auto config = draw_configuration();
        say("an operator writes /config " + config);
        txn.then = {dcs::Put{.key = prefix() + "config", .value = std::move(config)}};
    }
    (void)etcd.commit(txn);
}

std::string World::draw_configuration() {
    static constexpr std::array<std::string_view, 3> modes{"off", "on", "quorum"};
    return fmt::format(
        R"({{"synchronous_mode":"{}","synchronous_mode_strict":{},"synchronous_node_count":{},)"
        R"("failsafe_mode":{}}})",
        modes.at(static_cast<std::size_t>(random.between(0, 2))), random.chance(0.3),
        random.between(1, 2), random.chance(0.8));
}

void World::step() {
    for (auto& host : hosts) {
        host->postgres.step();
    }
    for (auto& host : hosts) {
        // In a sync mode commits are promised as soon as endpoints may lead to the primary.
        clients_.use(host->postgres, record_.sync.mode != ha::SyncMode::off &&
                                         record_.state == ha::RecordState::primary &&
                                         record_.holder_name == host->name);
    }
    report_.writes = clients_.acknowledged();
    check();
}

void World::check() {
    std::vector<std::string> writable;
    for (const auto& host : hosts) {
        if (!host->postgres.writable()) {
            continue;
        }
        writable.push_back(host->name);
        check_new_primary(*host);
        const auto kill_at = host->disk.armed();
        if (kill_at.never() || clock.now() > kill_at + step_every) {
            violation(fmt::format(
                "{} is writable without an armed fencer, or past its deadline (I3)", host->name));
        }
    }
    if (writable.size() > 1) {
        violation(fmt::format("{} and {} are writable at once (I1)", writable[0], writable[1]));
    }
}

void World::check_new_primary(const Host& host) {
    const auto now = fmt::format("{} {}", host.name, host.postgres.branches().back().id);
    if (now == last_writable_) {
        return;
    }
    last_writable_ = now;
    if (const auto lost = clients_.missing_on(host.postgres); !lost.empty()) {
        violation(fmt::format("{} became writable without acknowledged commits: {} (I6)", host.name,
                              lost));
    }
}

void World::heed(const dcs::Event& event) {
    for (const auto c : event.kv.key + event.kv.value) {
        report_.fingerprint =
            (report_.fingerprint ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
    if (event.deleted || event.kv.key != prefix() + "howdah") {
        return;
    }
    const auto record = ha::parse_record(event.kv.value);
    if (!record) {
        return violation("a record that can't be read was committed");
    }
    if (record->epoch < last_epoch_) {
        violation(fmt::format("the epoch went from {} to {} (I4)", last_epoch_, record->epoch));
    }
    last_epoch_ = std::max(last_epoch_, record->epoch);
    record_ = *record;
    report_.terms = holder_of_.size();
    const auto [holder, fresh] = holder_of_.emplace(record->epoch, record->incarnation);
    if (!fresh && holder->second != record->incarnation) {
        violation(fmt::format("epoch {} has two holders, {} and {} (I4)", record->epoch,
                              holder->second, record->incarnation));
    }
    if (record->state == ha::RecordState::primary) {
        const auto [where, first] =
            promoted_.emplace(record->epoch, std::pair{record->timeline, record->lsn});
        if (!first && where->second != std::pair{record->timeline, record->lsn}) {
            violation(fmt::format("epoch {} has two timelines or start LSNs (I4)", record->epoch));
        }
    }
}

void World::on_plan(const Host& host, const ha::View& /*view*/, const ha::Plan& plan) {
    report_.rules.emplace(plan.rule);
    if (options.verbose && last_rule_[host.name] != plan.rule) {
        say(fmt::format("{}: {} ({})", host.name, plan.why, plan.rule));
    }
    last_rule_[host.name] = plan.rule;
}

Host* World::writable_host() {
    const auto it = std::find_if(hosts.begin(), hosts.end(),
                                 [](const auto& h) { return h->postgres.writable(); });
    return it == hosts.end() ? nullptr : it->get();
}

void World::violation(std::string what) {
    say("VIOLATION: " + what);
    report_.violations.push_back(
        fmt::format("at {:.3f} s: {}", to_seconds(clock.now().since_boot), what));
}

void World::say(const std::string& what) const {
    if (options.verbose) {
        fmt::print("{:10.3f} s  {}\n", to_seconds(clock.now().since_boot), what);
    }
}

}  // namespace howdah::sim
