#include "world.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace howdah::sim {
namespace {

constexpr int etcd_members = 3;
constexpr std::size_t transcript_at_most = 4U << 20U;

std::uint64_t mixed(std::uint64_t seed, std::uint64_t stream) {
    return Random(seed * 0x9e3779b97f4a7c15U + stream).next();
}

}  // namespace

World::World(Options o)
    : options(std::move(o)),
      random(mixed(options.seed, 1)),
      profile([this] {
          Random drawn(mixed(options.seed, 2));
          return draw_profile(options, drawn);
      }()),
      etcd(context.get_executor(), clock),
      checks(*this),
      bell_(context.get_executor(), clock) {
    etcd.members.resize(etcd_members);
    etcd.unheeded = prefix() + "howdah-endpoint/";
    etcd.on_event = [this](const dcs::Event& event) { heed(event); };
    etcd.on_loss = [this] { checks.store_went_back(); };
    const auto nodes = options.hosts + etcd_members + 1;
    begun_ = clock.now();
    network =
        std::make_unique<Network>(nodes, random.next(), profile.packet_min, profile.packet_max);
    servers.delay = [this](const instance::FakeInstance& from, const instance::FakeInstance& to) {
        return network->stream(from.number, to.number);
    };
    servers.on_mixed = [this](const std::string& standby, const std::string& from) {
        violation("N1", fmt::format("{} mixes WAL of {} with its own: two promotions had one "
                                    "timeline number",
                                    standby, from));
    };
    for (int i = 0; i < options.hosts; ++i) {
        hosts.push_back(std::make_unique<Host>(*this, i, Millis(random.between(0, 100'000)),
                                               random.between(-9000, 9000)));
        hosts.back()->postgres.number = i;
        draw_times(*hosts.back());
        if (i < profile.restored) {
            hosts.back()->postgres.restore_backup();
            hosts.back()->postgres.times.archive_recovery = to_millis(profile.archive_recovery);
        }
    }
    endpoint = std::make_unique<Endpoint>(*this, nodes - 1, Millis(random.between(0, 100'000)),
                                          random.between(-9000, 9000));
}

World::~World() = default;

void World::connect(dcs::fake::FakeStore& store, int node) {
    store.faults.way = [this, node](std::size_t member, bool to_store) {
        const auto other = options.hosts + static_cast<int>(member);
        return to_store ? network->packet(node, other) : network->packet(other, node);
    };
    store.faults.lose_request = store.faults.lose_answer = 0.0005;
}

Host* World::host_of(const std::string& uuid) {
    const auto it =
        std::find_if(hosts.begin(), hosts.end(), [&](const auto& h) { return h->uuid == uuid; });
    return it == hosts.end() ? nullptr : it->get();
}

void World::draw_times(Host& host) {
    auto& times = host.postgres.times;
    times.start = Millis(random.between(60, 400));
    times.stop = Millis(random.between(20, 200));
    times.promote = Millis(random.between(60, 250));
    times.clone = Millis(random.between(500, 3000));
    times.rewind = Millis(random.between(200, 1500));
    times.flush = Millis(random.between(1, 8));
    times.reload = Millis(random.between(2, 60));
    times.fence = Millis(random.between(5, 60));
    times.crash_recovery = Millis(random.between(0, 800));
    times.orphans = Millis(random.between(1, to_millis(profile.orphans).count()));
    times.checkpoint = Millis(random.between(50, 2000));
}

Report World::run() {
    auto finished = false;
    io::asio::co_spawn(context, live(), [&finished](std::exception_ptr error) {
        finished = true;
        if (error) {
            std::rethrow_exception(error);
        }
    });
    Instant last{};
    std::uint64_t at_this_instant = 0;
    const auto begun = clock.now();
    while (!finished && clock.advance(context)) {
        ++report_.events;
        at_this_instant = clock.now() == last ? at_this_instant + 1 : 0;
        last = clock.now();
        if ((report_.events & 1023U) == 0 || at_this_instant > 1000) {
            checks.loop_turned(clock.pending(), at_this_instant);
        }
        if (at_this_instant > 1'000'000) {
            break;
        }
    }
    report_.simulated = clock.now() - begun;
    report_.terms = checks.terms();
    return std::move(report_);
}

io::Task<> World::wait_until(Instant when) {
    while (clock.now() < when && report_.violations.empty()) {
        const auto next = agenda_.empty() ? when : std::min(when, agenda_.begin()->first);
        (void)co_await bell_.wait_until(next);
        while (!agenda_.empty() && agenda_.begin()->first <= clock.now() &&
               report_.violations.empty()) {
            const auto one = agenda_.extract(agenda_.begin());
            co_await one.mapped()();
        }
        if (healing_ && served_) {
            co_return;
        }
    }
}

io::Task<> World::live() {
    if (options.schedule) {
        report_.schedule = *options.schedule;
    } else {
        Random drawn(mixed(options.seed, 3));
        report_.schedule = draw_schedule(options, profile, drawn);
    }
    say("", fmt::format("seed {}: lease {}, sync {}{}, {} faults", options.seed, profile.lease_name,
                        ha::name_of(profile.sync_mode), profile.strict ? " strict" : "",
                        report_.schedule.size()));
    const auto begun = clock.now();
    for (const auto& fault : report_.schedule) {
        if (fault.at < options.lasts) {
            agenda_.emplace(begun + fault.at, [this, fault] { return begin_fault(fault); });
        }
    }
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        later(profile.joins[i], at_once([host = hosts[i].get()] { host->start_agent(); }));
    }
    endpoint->begin();
    co_await wait_until(begun + options.lasts);
    if (report_.violations.empty()) {
        co_await heal();
    }
    agenda_.clear();
    co_await endpoint->close();
    for (auto& host : hosts) {
        co_await host->kill_agent();
    }
}

/// What the model promises of the hosts that are left (P5): they can choose a primary that has all
/// that was acknowledged, and it finds the standbys that it has to wait for.
bool World::can_do_without(const Host& away) const {
    const auto& record = checks.record();
    // Of a paused holder that is silent nobody but an operator knows that it is gone (N13).
    if (!record || hosts.size() < 3 || (record->paused && record->holder == away.uuid)) {
        return false;
    }
    const auto left = static_cast<int>(hosts.size()) - 1;
    const auto voters =
        static_cast<int>(record->sync.voters.size()) - (record->sync.voter(away.uuid) ? 1 : 0);
    if (record->sync.mode != ha::SyncMode::off &&
        (record->sync.empty() || voters < record->sync.votes_needed())) {
        return false;
    }
    if (profile.strict && left - 1 < profile.sync_nodes) {
        return false;
    }
    const auto complete = std::ranges::all_of(hosts, [&](const auto& host) {
        return host.get() == &away ||
               (host->postgres.has_data() &&
                std::ranges::find(record->claimers, host->uuid) != record->claimers.end());
    });
    return complete;
}

/// Hosts that stay away when the faults stop: those outside of the core, or one that the seed
/// draws.
std::vector<Host*> World::draw_away() {
    std::vector<Host*> away;
    if (!options.core.empty()) {
        for (const auto& host : hosts) {
            if (std::ranges::find(options.core, host->node) == options.core.end()) {
                away.push_back(host.get());
            }
        }
        return away;
    }
    Random drawn(mixed(options.seed, 5));
    auto* one = hosts[static_cast<std::size_t>(drawn.between(0, std::ssize(hosts) - 1))].get();
    // A record that an operator deleted is written anew with the seals of all members only.
    const auto keys = etcd.range(record_key).keys;  // by prefix
    const auto deleted = std::ranges::find(keys, record_key, &dcs::KeyValue::key) == keys.end();
    if (drawn.chance(0.5) && !deleted && !options.store_loss && !options.pauses &&
        can_do_without(*one)) {
        away.push_back(one);
    }
    return away;
}

io::Task<> World::take_away(Host* host) {
    say(host->name, "stays away");
    co_await host->lose_power();
    for (int other = 0; other < network->nodes(); ++other) {
        if (other != host->node) {
            ++network->link(host->node, other).cuts;
            ++network->link(other, host->node).cuts;
        }
    }
}

io::Task<> World::heal() {
    say("", "all faults stop");
    const auto away = draw_away();
    // Ends of faults that are still on; an end may have an end.
    while (!agenda_.empty()) {
        const auto end = agenda_.extract(agenda_.begin());
        co_await end.mapped()();
    }
    cut_at_change_.reset();
    network->heal();
    for (auto* host : away) {
        co_await take_away(host);
    }
    served_ = false;
    healing_ = true;
    co_await wait_until(clock.now() + profile.back_within());
    if (report_.violations.empty() && !served_) {
        violation("P5", fmt::format("no client was served within {} s after the faults stopped",
                                    to_seconds(profile.back_within())));
    }
}

void World::note_served() {
    served_ = true;
    if (healing_) {
        bell_.ring();
    }
}

void World::note_writable(const Host& host) {
    if (host.postgres.writable()) {
        last_holder_ = host_of(host.uuid);
    }
}

Host* World::writable_host() {
    const auto it = std::find_if(hosts.begin(), hosts.end(),
                                 [](const auto& h) { return h->postgres.writable(); });
    return it == hosts.end() ? nullptr : it->get();
}

void World::heed(const dcs::Event& event) {
    // Eight bytes at a time, by FNV-1a's multiplication.
    const std::string_view text = event.kv.value;
    for (std::size_t i = 0; i < text.size(); i += sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + i, std::min(sizeof(word), text.size() - i));
        report_.fingerprint =
            (report_.fingerprint ^ word ^ (report_.fingerprint >> 29U)) * 1099511628211U;
    }
    if (event.kv.key != record_key) {
        return;
    }
    if (event.deleted) {
        return checks.record_deleted();
    }
    committed_.read(event.kv.mod_revision, event.kv.value);
    if (!committed_.record) {
        return violation("I4", "a record that can't be read was committed");
    }
    cut_if_changed(*committed_.record);
    checks.record_committed(*committed_.record);
}

namespace {

/// Whom a change is about: the one it hands over to or admits. Empty: nobody.
ha::Uuid concerned(const ha::Record& before, const ha::Record& now) {
    for (const auto& uuid : now.claimers) {
        if (std::find(before.claimers.begin(), before.claimers.end(), uuid) ==
            before.claimers.end()) {
            return uuid;
        }
    }
    return now.handover_to;
}

}  // namespace

/// The nastiest moment for a cut: what was committed changes more than time, and the answer is on
/// its way. Whom the change is about does not hear of the holder either.
void World::cut_if_changed(const ha::Record& record) {
    const auto& before = checks.record();
    const auto changed =
        before && before->epoch == record.epoch &&
        (before->state != record.state || before->set_version != record.set_version ||
         before->sync_version != record.sync_version);
    auto* host = host_of(record.holder);
    if (!changed || !cut_at_change_ || host == nullptr) {
        return;
    }
    const auto fault = *std::exchange(cut_at_change_, {});
    const auto* other = host_of(concerned(*before, record));
    if (other == nullptr) {
        other = hosts[static_cast<std::size_t>(fault.other) % hosts.size()].get();
    }
    say(host->name,
        fmt::format("cut off from etcd as its record changes; {} does not hear it", other->name));
    // Long enough for a candidate to wait out W, ask in vain and give way to a better one.
    cut_store(host->node, true, true, 2 * fault.lasts);
    cut(host->node, other->node, 2 * fault.lasts);
}

void World::on_plan(const Host& host, const ha::View& view, const ha::Plan& plan) {
    report_.rules.emplace(plan.rule);
    checks.decided(host, view, plan);
    if ((options.verbose || options.transcript) && last_rule_[host.name] != plan.rule) {
        say(host.name, fmt::format("{} ({})", plan.why, plan.rule));
        last_rule_[host.name] = plan.rule;
    }
}

void World::violation(std::string_view invariant, const std::string& what) {
    if (options.skip.contains(invariant)) {
        return;
    }
    say("", fmt::format("VIOLATION of {}: {}", invariant, what));
    tell_state();
    report_.violations.push_back(
        {.invariant = std::string(invariant),
         .what = fmt::format("at {:.3f} s: {}", to_seconds(clock.now() - begun_), what),
         .at = clock.now() - begun_});
    bell_.ring();
}

void World::tell_state() {
    for (const auto& host : hosts) {
        const auto& pg = host->postgres;
        std::string standbys;
        for (const auto& w : pg.walsenders()) {
            standbys += fmt::format(" [{} flushed {}, silent for {} ms]", w.application_name,
                                    w.flush.text(), w.silent.count());
        }
        say(host->name, fmt::format("{}{}{}, timeline {}, flushed {}, waits for '{}', agent {}{}",
                                    pg.tree_dead()   ? "down"
                                    : pg.writable()  ? "writable"
                                    : pg.streaming() ? "streams"
                                    : pg.accepting() ? "runs alone"
                                                     : "not ready",
                                    standbys.empty() ? "" : ", standbys", standbys,
                                    pg.history()->empty() ? 0 : pg.history()->back().timeline,
                                    pg.flushed().text(), pg.names_in_force(),
                                    host->agent_lives() ? "lives" : "is dead",
                                    pg.disk_trouble.empty() ? "" : ", its disk is full"));
    }
    if (const auto& record = checks.record()) {
        say("", "the record: " + ha::render(*record));
    }
}

void World::say(const std::string& who, const std::string& what) {
    if (!options.verbose && !options.transcript) {
        return;
    }
    auto line = fmt::format("{:10.3f} s  {:7}{}\n", to_seconds(clock.now() - begun_),
                            who.empty() ? "" : who + ":", what);
    if (options.verbose) {
        fmt::print("{}", line);
    }
    if (options.transcript && report_.transcript.size() < transcript_at_most) {
        report_.transcript += line;
    }
}

}  // namespace howdah::sim
