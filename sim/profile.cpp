#include "profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace howdah::sim {
namespace {

constexpr Nanos calm = Seconds(20);  // a new cluster is made in peace
constexpr Nanos latest_join = Seconds(150);
constexpr double favoured = 6;

bool allowed(FaultKind kind, const Options& o) {
    switch (kind) {
        case FaultKind::pause_host:
        case FaultKind::pause_host_hidden:
            return o.pauses;
        case FaultKind::etcd_roll_back:
        case FaultKind::etcd_lose_data:
            return o.store_loss;
        default:
            return true;
    }
}

bool at_etcd(FaultKind kind) {
    return kind >= FaultKind::etcd_stall && kind <= FaultKind::etcd_lose_data;
}

double usual_weight(FaultKind kind) {
    switch (kind) {
        case FaultKind::switchover:
        case FaultKind::kill_postmaster:
            return 2;
        case FaultKind::slow_recovery:
        case FaultKind::etcd_compact:
        case FaultKind::cancel_waits:
        case FaultKind::restart_server:
        case FaultKind::reinitialize:
        case FaultKind::pause_cluster:
        case FaultKind::tag_nofailover:
            return 0.5;
        case FaultKind::delete_record:
        case FaultKind::foreign_data:
            return 0.2;
        default:
            return 1;
    }
}

ha::SyncMode draw_mode(Random& random) {
    switch (random.between(0, 2)) {
        case 0:
            return ha::SyncMode::off;
        case 1:
            return ha::SyncMode::on;
        default:
            return ha::SyncMode::quorum;
    }
}

Nanos draw_millis(Random& random, Nanos least, Nanos most) {
    return Millis(random.between(to_millis(least).count(), to_millis(most).count()));
}

/// Half of them of any length, half so that they end near a deadline.
Nanos draw_length(const Profile& p, Random& random) {
    if (random.chance(0.5)) {
        const auto log_most = std::log(static_cast<double>(to_millis(p.longest).count()));
        return Millis(static_cast<Millis::rep>(std::exp(random.fraction() * log_most)));
    }
    const auto around = random.chance(0.5) ? p.lease.ttl : p.lease.candidate_wait();
    return draw_millis(random, around - 2 * p.lease.fence_budget,
                       around + 2 * p.lease.fence_budget);
}

FaultKind draw_kind(const Profile& p, Random& random) {
    double sum = 0;
    for (const auto w : p.weight) {
        sum += w;
    }
    auto left = random.fraction() * sum;
    for (std::size_t i = 0; i < p.weight.size(); ++i) {
        left -= p.weight[i];
        if (left < 0) {
            return static_cast<FaultKind>(i);
        }
    }
    return FaultKind::switchover;
}

Fault draw_fault(const Options& o, const Profile& p, Nanos at, Random& random) {
    Fault f{.kind = draw_kind(p, random), .at = at, .lasts = draw_length(p, random)};
    const auto last = at_etcd(f.kind) ? 2 : o.hosts - 1;
    const auto holder = !at_etcd(f.kind) && random.chance(p.to_holder);
    f.who = holder ? Fault::holder : static_cast<int>(random.between(0, last));
    f.other = static_cast<int>(random.between(0, o.hosts - 1));
    if (f.kind == FaultKind::pause_host && !o.pauses) {
        f.lasts = std::min<Nanos>(f.lasts, p.lease.fence_budget);
    }
    return f;
}

}  // namespace

std::string Profile::config_json() const {
    return fmt::format(
        R"({{"howdah":{{"lease":"{}"}},"synchronous_mode":{},"synchronous_mode_strict":{},)"
        R"("synchronous_node_count":{},"failsafe_mode":{},"pause":{}}})",
        lease_name,
        sync_mode == ha::SyncMode::quorum ? "\"quorum\""
        : sync_mode == ha::SyncMode::on   ? "true"
                                          : "false",
        strict, sync_nodes, failsafe, paused);
}

Profile draw_profile(const Options& o, Random& random) {
    Profile p;
    p.lease_name = !o.lease.empty() ? o.lease : random.chance(0.7) ? "default" : "lan-fast";
    p.lease = ha::LeaseTimes::of_profile(p.lease_name).value_or(ha::LeaseTimes{});
    const auto mode = draw_mode(random);
    const auto strict = random.chance(0.5);
    p.sync_mode = o.sync_mode.value_or(mode);
    p.strict = o.strict.value_or(strict) && p.sync_mode != ha::SyncMode::off;
    p.sync_nodes = random.chance(0.3) ? 2 : 1;
    const auto failsafe = random.chance(0.8);
    p.failsafe = o.failsafe.value_or(failsafe);
    p.mean_gap = Millis(random.between(2'000, 25'000));
    p.longest = Millis(random.between(2'000, random.chance(0.2) ? 150'000 : 40'000));
    p.to_holder = 0.3 + 0.6 * random.fraction();
    for (std::size_t i = 0; i < static_cast<std::size_t>(first_kinds); ++i) {
        const auto kind = static_cast<FaultKind>(i);
        const auto drawn = random.chance(0.4) ? usual_weight(kind) * (0.2 + random.fraction()) : 0;
        p.weight[i] = o.favour.contains(kind) ? favoured : allowed(kind, o) ? drawn : 0;
    }
    // An operator who wipes a member and deletes the record has to name that member as missing.
    if (p.weight[static_cast<std::size_t>(FaultKind::delete_record)] > 0) {
        p.weight[static_cast<std::size_t>(FaultKind::reinitialize)] = 0;
    }
    p.packet_min = Nanos(random.between(100'000, 1'000'000));
    p.packet_max = p.packet_min + Nanos(random.between(100'000, 7'000'000));
    p.fencer_late = Nanos(p.lease.fence_budget) * random.between(0, 9) / 10;
    p.orphans = Millis(random.chance(0.5) ? random.between(1, 50) : random.between(1, 500));
    p.client_pause = Millis(random.between(200, 2000));
    p.joins.resize(static_cast<std::size_t>(o.hosts));
    const auto late = random.chance(0.25);
    for (std::size_t i = 1; i < p.joins.size() && o.late_hosts.value_or(late && !o.store_loss);
         ++i) {
        p.joins[i] = random.chance(0.5) ? draw_millis(random, calm, latest_join) : Nanos{};
    }
    for (std::size_t i = first_kinds; i < p.weight.size(); ++i) {
        const auto kind = static_cast<FaultKind>(i);
        const auto drawn = random.chance(0.15) ? usual_weight(kind) * (0.2 + random.fraction()) : 0;
        p.weight[i] = o.favour.contains(kind) ? favoured : drawn;
    }
    const auto restored = random.chance(0.15) ? static_cast<int>(random.between(1, o.hosts)) : 0;
    p.restored = std::min(o.restored.value_or(restored), o.hosts);
    p.archive_recovery = Millis(random.between(1000, 8000));
    // Faults come while they recover. Who has nothing comes when the first restored one can be
    // seen before an initdb has ended: later ones would find another cluster.
    const auto begins = Nanos(Millis(random.between(12'000, 17'000)));
    for (std::size_t i = 0; i < p.joins.size() && p.restored > 0; ++i) {
        const auto after = Nanos(Millis(random.between(0, 2000)));
        p.joins[i] = i == 0 ? begins + Millis(500)
                     : static_cast<int>(i) < p.restored
                         ? std::max(p.joins[i], begins + after)
                         : std::max(p.joins[i], begins + Millis(100) + after);
    }
    return p;
}

std::vector<Fault> draw_schedule(const Options& o, const Profile& p, Random& random) {
    std::vector<Fault> schedule;
    auto at = calm;
    while (at < o.lasts) {
        const auto fault = draw_fault(o, p, at, random);
        schedule.push_back(fault);
        if (random.chance(0.3)) {
            // What a term that was cut off by this one meets at its deadline, or a candidate at
            // the end of its wait.
            const auto around = random.chance(0.5) ? p.lease.ttl : p.lease.candidate_wait();
            const auto then = at + draw_millis(random, around - p.lease.fence_budget,
                                               around + p.lease.fence_budget);
            schedule.push_back(draw_fault(o, p, then, random));
        }
        at += draw_millis(random, Millis(200), 2 * p.mean_gap);
    }
    const auto order = [](const Fault& f) {
        return std::tuple(f.at, f.kind, f.who, f.other, f.lasts);
    };
    std::sort(schedule.begin(), schedule.end(),
              [&](const Fault& a, const Fault& b) { return order(a) < order(b); });
    return schedule;
}

}  // namespace howdah::sim
