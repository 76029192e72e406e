#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ha/cluster.h"
#include "ha/promise.h"
#include "ha/recover.h"
#include "ha/settings.h"
#include "ha/standing.h"
#include "ha/vote.h"
#include "instance/instance.h"
#include "io/task.h"

namespace howdah::agent {

/// What the agent knows of itself and the cluster: a copy, made at the end of the last cycle.
struct Status {
    std::string scope{}, name{};
    ha::Uuid member_uuid{};
    ha::Cluster cluster{};
    /// Those in `cluster`, and those that a store without its data does not show any more.
    std::vector<ha::Member> known_members{};
    instance::Local local{};
    bool holds_leader = false;  ///< in a term that is not over, before its deadline
    ha::Epoch epoch = 0;        ///< of the term held, else of the record last seen
    Millis term_left{};         ///< until the deadline; 0 without a term
    std::int64_t dcs_last_seen =
        0;  ///< wall clock, seconds since 1970, of the last answer of the store
    bool dcs_reachable = false;
    bool failsafe_active = false;  ///< promises carry the term while the store is silent
    bool pause = false;
    std::string tags_json{};               ///< object, or empty
    std::string scheduled_restart_json{};  ///< as the member key shows it, or empty
    Seconds loop_wait{10};
    std::uint64_t maximum_lag_on_failover = 1048576;
    ha::LeaseTimes lease{};
    Instant next_cycle_due{};
    std::string rule{};           ///< which rule decided last
    std::string why{};            ///< in one sentence
    std::string trouble{};        ///< PostgreSQL lives and can't do its work: why; empty: it can
    std::string archiving_off{};  ///< why a cluster made from a backup archives nothing; or empty
};

using ha::Standing;

struct SwitchoverRequest {
    std::string leader{};        ///< empty for a failover to `candidate`
    std::string candidate{};     ///< empty: the agent picks
    std::string scheduled_at{};  ///< ISO 8601 with zone; empty: now
    /// A failover to this very member, whatever others may hold (safety-model.md, N5).
    bool accept_loss = false;
};

/// A restart of this member's PostgreSQL, and on what conditions (patroni-compatibility.md 3.6).
struct RestartRequest {
    std::string role{};       ///< primary, standby_leader or replica; empty: any
    int below_version = 0;    ///< only while the running server's is lower: 150018; 0: any
    bool if_pending = false;  ///< only when a parameter waits for it
    Seconds timeout{};        ///< to wait for the end of it; 0: primary_start_timeout
    std::int64_t at = 0;      ///< seconds since 1970; 0: now
    std::string json{};       ///< the request, as the member key shows it
};

/// Answer to a REST action: HTTP code and text, as patroni-compatibility.md 3.6 words them.
struct Answer {
    int code = 200;
    std::string text{};
};

/// `/config` as the store has it.
struct StoredConfig {
    std::string text{};         ///< empty: there is none
    std::int64_t revision = 0;  ///< that wrote it last
};

/// What api/ may ask of the agent, on the agent's executor.
class Control {
public:
    virtual ~Control() = default;
    virtual Status status() const = 0;
    virtual Standing standing() const = 0;
    /// What would have to change for this member to become primary; empty: it is.
    virtual std::vector<std::string> obstacles() const = 0;
    /// Stops receiving from primaries of lower epochs, for good, and says what is here.
    virtual io::Task<ha::Vote> seal(ha::SealRequest request) = 0;
    /// Promises not to claim for a while, or refuses (safety-model.md, G2).
    virtual ha::PromiseAnswer promise(const ha::PromiseRequest& request) = 0;
    /// What an endpoint without the store may rely on (G4).
    virtual ha::Vouch vouch() const = 0;
    /// Lets this member take part in writing the record anew that the store lost (G7). 202: it
    /// does.
    virtual Answer recover(ha::RecoverOrder order) = 0;
    /// Blocks until the new leader is there or the attempt failed. A scheduled one is only noted.
    virtual io::Task<Answer> switchover(SwitchoverRequest request) = 0;
    virtual io::Task<Answer> cancel_switchover() = 0;
    /// Blocks until PostgreSQL runs again. A scheduled one is only noted.
    virtual io::Task<Answer> restart(RestartRequest request) = 0;
    virtual Answer cancel_restart() = 0;
    /// Replaces this member's data directory by a new copy; returns at once. `force`: also while
    /// something else is going on, after it.
    virtual Answer reinitialize(bool force) = 0;
    /// Reads the configuration file again, soon.
    virtual Answer reload() = 0;
    /// A fresh read. Errors: Errc::unavailable, Errc::timeout.
    virtual io::Task<Result<StoredConfig>> read_config() = 0;
    /// What PostgreSQL of this host would refuse of the `/config` `after`, and not of `before`.
    /// Errors: it could not be asked.
    virtual io::Task<Result<std::vector<instance::RefusedSetting>>> refused_settings(
        std::string before, std::string after) = 0;
    /// Which login of the agents the pg_hba lines of `/config` `after` would keep out, where
    /// `before` has others; nullopt: none for certain.
    virtual std::optional<std::string> lockout(const std::string& before,
                                               const std::string& after) const = 0;
    /// Writes `/config`, which the caller has checked; with `seen` only over that revision. Errors:
    /// Errc::conflict when it changed meanwhile, Errc::unavailable (unknown whether it happened).
    virtual io::Task<Result<>> write_config(std::string text, std::optional<std::int64_t> seen) = 0;
};

}  // namespace howdah::agent
