#include <fmt/format.h>

#include "world.h"

// What each kind of fault does, and how it ends.

namespace howdah::sim {

void World::later(Nanos after, std::function<io::Task<>()> then) {
    agenda_.emplace(clock.now() + after, std::move(then));
    bell_.ring();
}

std::function<io::Task<>()> World::at_once(std::function<void()> what) {
    return [what = std::move(what)] {
        return [](std::function<void()> f) -> io::Task<> {
            f();
            co_return;
        }(what);
    };
}

namespace {

bool over_at_once(FaultKind kind) {
    return kind == FaultKind::restart_server || kind == FaultKind::reinitialize ||
           kind == FaultKind::cancel_waits || kind == FaultKind::vacuum ||
           kind == FaultKind::switchover || kind == FaultKind::write_config ||
           kind == FaultKind::delete_record || kind == FaultKind::kill_postmaster ||
           kind == FaultKind::etcd_compact || kind == FaultKind::etcd_roll_back ||
           kind == FaultKind::etcd_lose_data;
}

}  // namespace

io::Task<> World::begin_fault(Fault fault) {
    const auto at_store =
        fault.kind >= FaultKind::etcd_stall && fault.kind <= FaultKind::etcd_lose_data;
    const auto lasts = over_at_once(fault.kind)
                           ? std::string()
                           : fmt::format(" for {:.3f} s", to_seconds(fault.lasts));
    if (at_store) {
        const auto member = static_cast<std::size_t>(std::max(fault.who, 0)) % etcd.members.size();
        say(fmt::format("etcd{}", member + 1), fmt::format("{}{}", words_for(fault.kind), lasts));
        begin_at_store(fault, member);
        co_return;
    }
    auto* host = fault.who != Fault::holder
                     ? hosts[static_cast<std::size_t>(fault.who) % hosts.size()].get()
                     : writable_host();
    if (host == nullptr) {
        host = last_holder_ != nullptr ? last_holder_ : hosts.front().get();
    }
    say(host->name, fmt::format("{}{}", words_for(fault.kind), lasts));
    co_await begin_at_host(fault, host);
}

void World::cut(int from, int to, Nanos lasts) {
    ++network->link(from, to).cuts;
    later(lasts, at_once([this, from, to] {
              auto& cuts = network->link(from, to).cuts;
              cuts = std::max(cuts - 1, 0);
          }));
}

void World::cut_store(int node, bool to, bool from, Nanos lasts) {
    for (int m = 0; m < static_cast<int>(etcd.members.size()); ++m) {
        if (to) {
            cut(node, options.hosts + m, lasts);
        }
        if (from) {
            cut(options.hosts + m, node, lasts);
        }
    }
}

io::Task<> World::begin_at_host(Fault fault, Host* host) {
    const auto lasts = fault.lasts;
    const auto ends = [&](std::function<void()> how) { later(lasts, at_once(std::move(how))); };
    const auto all_links = [this, host](auto change) {
        for (int other = 0; other < network->nodes(); ++other) {
            if (other != host->node) {
                change(network->link(host->node, other));
                change(network->link(other, host->node));
            }
        }
    };
    switch (fault.kind) {
        case FaultKind::kill_postmaster:
            host->postgres.crash();
            break;
        case FaultKind::kill_agent:
            co_await host->kill_agent();
            ends([host] { host->start_agent(); });
            break;
        case FaultKind::kill_both:
            co_await host->kill_agent();
            host->postgres.crash();
            ends([host] { host->start_agent(); });
            break;
        case FaultKind::lose_power:
            co_await host->lose_power();
            ends([host] { host->power_on(); });
            break;
        case FaultKind::stop_agent:
            host->stop_agent();
            ends([host] { host->continue_agent(); });
            break;
        case FaultKind::pause_host:
        case FaultKind::pause_host_hidden: {
            const auto hidden = fault.kind == FaultKind::pause_host_hidden;
            if (!host->clock.held()) {
                host->pause(hidden);
                ends([host, hidden] { host->resume(hidden); });
            }
            break;
        }
        case FaultKind::isolate:
            for (int other = 0; other < network->nodes(); ++other) {
                if (other != host->node) {
                    cut(host->node, other, lasts);
                    cut(other, host->node, lasts);
                }
            }
            break;
        case FaultKind::cut_store:
            cut_store(host->node, true, true, lasts);
            break;
        case FaultKind::cut_to_store:
            cut_store(host->node, true, false, lasts);
            break;
        case FaultKind::cut_from_store:
            cut_store(host->node, false, true, lasts);
            break;
        case FaultKind::cut_at_change:
            cut_at_change_ = fault;  // armed until it strikes
            break;
        case FaultKind::cut_endpoint_store:
            cut_store(endpoint->node, true, true, lasts);
            break;
        case FaultKind::cut_peer:
            cut(host->node, fault.other % options.hosts, lasts);
            break;
        case FaultKind::cut_endpoint:
            cut(host->node, network->nodes() - 1, lasts);
            cut(network->nodes() - 1, host->node, lasts);
            break;
        case FaultKind::slow_network: {
            const auto slower = Millis(5 + 90 * (fault.other + 1));
            all_links([slower](Network::Link& link) { link.slower = slower; });
            ends([all_links] { all_links([](Network::Link& link) { link.slower = {}; }); });
            break;
        }
        case FaultKind::lossy_network: {
            const auto loss = 0.1 * (fault.other + 1);
            all_links([loss](Network::Link& link) { link.loss = loss; });
            ends([all_links] { all_links([](Network::Link& link) { link.loss = 0; }); });
            break;
        }
        case FaultKind::slow_answers: {
            const auto slower = Millis(200 * (fault.other + 1));
            const auto make = [this, host](Nanos by) {
                for (int m = 0; m < static_cast<int>(etcd.members.size()); ++m) {
                    network->link(options.hosts + m, host->node).slower = by;
                }
            };
            make(slower);
            ends([make] { make({}); });
            break;
        }
        case FaultKind::foreign_data:
            co_await host->mount(true);
            later(lasts, [host] { return host->mount(false); });
            break;
        case FaultKind::fill_disk:
            host->postgres.disk_trouble = "no space left on device";
            ends([host] { host->postgres.disk_trouble.clear(); });
            break;
        case FaultKind::hang_postmaster:
            host->postgres.hung = true;
            ends([host] { host->postgres.hung = false; });
            break;
        case FaultKind::slow_recovery:
            host->postgres.times.crash_recovery = std::max<Millis>(to_millis(lasts), Millis(1000));
            ends([host] { host->postgres.times.crash_recovery = Millis(300); });
            break;
        case FaultKind::stall_receiving:
            host->postgres.stall_receiving(host->clock.now() + lasts);
            break;
        case FaultKind::freeze_storage:
            host->postgres.freeze_storage();
            host->disk.full = true;  // the state directory lies there too
            ends([host] {
                host->disk.full = false;
                host->postgres.thaw_storage();
            });
            break;
        case FaultKind::pause_replay:
            host->postgres.pause_replay(host->clock.now() + lasts);
            break;
        case FaultKind::write_config:
        case FaultKind::delete_record:
            operate(fault);
            break;
        case FaultKind::vacuum:
            host->postgres.vacuum(20'000U * static_cast<unsigned>(fault.other + 1));
            break;
        case FaultKind::cancel_waits:
            host->postgres.cancel_waits();
            break;
        case FaultKind::restart_server:
            host->order_restart();
            break;
        case FaultKind::reinitialize:
            host->order_copy(fault.other == 0);
            break;
        case FaultKind::pause_cluster:
            set_pause(true);
            ends([this] { set_pause(false); });
            break;
        case FaultKind::tag_nofailover:
            host->tag_nofailover(true);
            ends([host] { host->tag_nofailover(false); });
            break;
        case FaultKind::switchover:
            host->order_switchover(
                hosts[static_cast<std::size_t>(fault.other) % hosts.size()]->name);
            break;
        default:
            break;
    }
}

void World::begin_at_store(const Fault& fault, std::size_t member) {
    const auto ends = [&](std::function<void()> how) {
        later(fault.lasts, at_once(std::move(how)));
    };
    auto& one = etcd.members.at(member);
    switch (fault.kind) {
        case FaultKind::etcd_stall:
            etcd.stall(member, true);
            ends([this, member] { etcd.stall(member, false); });
            break;
        case FaultKind::etcd_down:
            one.up = false;
            ends([this, member] {
                etcd.members.at(member).up = true;
                etcd.tell();
            });
            break;
        case FaultKind::etcd_election:
            etcd.has_leader = false;
            ends([this] { etcd.has_leader = true; });
            break;
        case FaultKind::etcd_lie:
            one.stalled = true;
            etcd.fall_behind(member);
            ends([this, member] {
                auto& back = etcd.members.at(member);
                back.stalled = false;
                back.lying = true;
                later(Millis(300), at_once([this, member] { etcd.catch_up(member); }));
            });
            break;
        case FaultKind::etcd_compact:
            (void)etcd.compact(etcd.revision());
            break;
        case FaultKind::etcd_forgets_answers:
        case FaultKind::etcd_repeats_events:
            store_weather(fault.kind, true);
            ends([this, kind = fault.kind] { store_weather(kind, false); });
            break;
        case FaultKind::etcd_late_expiry:
            etcd.late_expiry = Seconds(6);
            ends([this] { etcd.late_expiry = {}; });
            break;
        case FaultKind::etcd_roll_back:
            etcd.roll_back(etcd.revision() - 20 * (1 + fault.other));
            break;
        case FaultKind::etcd_lose_data:
            etcd.replace();
            break;
        default:
            break;
    }
}

/// From here on P1 rests on the operator (N13): one who resumes while the primary hears nothing of
/// it has two.
void World::set_pause(bool paused) {
    if (etcd.range(prefix() + "config").keys.empty()) {
        return;
    }
    was_paused = was_paused || paused;
    auto config = profile;
    config.paused = paused;
    dcs::Txn txn{.then = {dcs::Put{.key = prefix() + "config", .value = config.config_json()}}};
    (void)etcd.commit(txn);
}

/// An operator writes another configuration, or deletes what he should not.
void World::operate(const Fault& fault) {
    if (etcd.range(prefix() + "config").keys.empty()) {
        return;
    }
    dcs::Txn txn;
    if (fault.kind == FaultKind::delete_record) {
        txn.then = {dcs::Delete{record_key}, dcs::Delete{leader_key}};
    } else {
        auto config = profile;
        const auto drawn = to_millis(fault.lasts).count();
        config.sync_mode = static_cast<ha::SyncMode>(drawn % 3);
        config.strict = profile.strict && drawn % 2 == 0;
        config.sync_nodes = drawn % 5 == 0 ? 2 : 1;
        config.failsafe = drawn % 4 != 0;
        say("", "the configuration is " + config.config_json());
        txn.then = {dcs::Put{.key = prefix() + "config", .value = config.config_json()}};
    }
    (void)etcd.commit(txn);
}

void World::store_weather(FaultKind kind, bool on) {
    if (kind == FaultKind::etcd_forgets_answers) {
        etcd.lose_answers = etcd.apply_late = on ? 0.2 : 0;
    } else {
        etcd.repeat_events = on ? 0.3 : 0;
    }
}

}  // namespace howdah::sim
