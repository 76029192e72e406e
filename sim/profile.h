#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fault.h"
#include "ha/settings.h"
#include "ha/sync.h"

namespace howdah::sim {

struct Options {
    std::uint64_t seed = 1;
    int hosts = 3;
    /// With faults; then they stop and the cluster must become writable.
    Nanos lasts = Seconds(600);
    /// Hosts may stand still for long, hidden from their clock or not. P1 does not hold then, P2
    /// does (safety-model.md, section 2).
    bool pauses = false;
    bool store_loss = false;                  ///< etcd may go back or lose its data
    std::optional<ha::SyncMode> sync_mode{};  ///< instead of what the seed draws
    std::optional<bool> strict{};
    std::optional<bool> failsafe{};
    std::optional<int> restored{};                 ///< so many hosts begin with what a restore left
    std::optional<bool> late_hosts{};              ///< some begin late
    std::string lease{};                           ///< instead of what the seed draws
    std::set<FaultKind> favour{};                  ///< drawn often
    std::set<std::string, std::less<>> skip{};     ///< invariants that are not checked
    std::optional<std::vector<Fault>> schedule{};  ///< instead of what the seed draws
    /// The hosts that are back when the faults stop; the others stay away. Empty: the seed draws.
    std::vector<int> core{};
    bool verbose = false;     ///< tell what happens, at once
    bool transcript = false;  ///< keep what happens
};

/// What one seed draws, by swarm testing: each has its own kinds of faults and rates.
struct Profile {
    ha::LeaseTimes lease{};
    std::string lease_name{};
    ha::SyncMode sync_mode = ha::SyncMode::off;
    bool strict = false;
    int sync_nodes = 1;
    bool failsafe = true;  ///< the members' promises carry a term while the store is silent
    bool paused = false;
    Nanos mean_gap{};  ///< between two faults
    Nanos longest{};   ///< fault
    double to_holder = 0.7;
    std::array<double, fault_kinds> weight{};
    Nanos packet_min{}, packet_max{};
    Nanos fencer_late{};  ///< at most; below F
    Nanos orphans{};      ///< at most; so long backends outlive their postmaster
    Nanos client_pause{};
    int clients = 2;
    int restored = 0;  ///< the first hosts, that a restore gave a cluster to begin with
    Nanos archive_recovery{};
    std::vector<Nanos> joins{};  ///< of each host: when it begins; some come late

    std::string config_json() const;
    /// Longest time to become writable again (P5).
    Nanos back_within() const { return 4 * Nanos(lease.ttl) + Seconds(10); }
};

Profile draw_profile(const Options& options, Random& random);
std::vector<Fault> draw_schedule(const Options& options, const Profile& profile, Random& random);

}  // namespace howdah::sim
