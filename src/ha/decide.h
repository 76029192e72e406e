#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/instant.h"
#include "base/shared.h"
#include "ha/cluster.h"
#include "ha/local.h"
#include "ha/recover.h"
#include "ha/settings.h"
#include "ha/standing.h"
#include "ha/term.h"
#include "ha/vote.h"

namespace howdah::ha {

/// What decisions depend on besides the cluster and the local server.
struct Settings {
    LeaseTimes lease{};
    std::uint64_t maximum_lag_on_failover = 1048576;  ///< bytes
    bool pause = false;
    Millis recover_after{300};  ///< F8: how long others may claim before recovery in place
    SyncMode sync_mode = SyncMode::off;
    bool sync_strict = false;
    int sync_node_count = 1;
    bool failsafe = false;  ///< the members' promises carry a term while the store is silent (G1)
    std::int64_t maximum_lag_on_syncnode = -1;  ///< bytes; 0 or less: any lag
};

struct Self {
    Uuid uuid{};
    std::string name{};
    bool nofailover = false;
    bool can_bootstrap = false;  ///< has a `bootstrap` section, and a lease to race under
    Epoch stored_epoch = 0;      ///< greatest epoch durably stored
    bool won_initialize =
        false;              ///< this run created `/initialize` and has not finished the bootstrap
    Instant armed_until{};  ///< kill instant on the fencer's page; never: not armed
    Instant promised_until{};  ///< no claim before it (G2); never: no promise stands
    Epoch history_epoch = 0;   ///< last epoch in the history of the data directory; 0: unknown
};

/// Answers of other members to one round of questions (L6).
struct Peers {
    std::int64_t about_revision = 0;  ///< the record's revision that the round was asked for
    Instant asked{};                  ///< never: no round yet
    bool complete = false;            ///< all answered or ran out of time
    std::vector<Standing> standings{};
};

/// Answers to one round of seals (safety-model.md, section 5). One's own is among them.
struct Votes {
    Epoch epoch = 0;  ///< that was sealed for
    Instant asked{};  ///< never: no round yet
    bool complete = false;
    std::vector<Vote> votes{};
};

/// A switchover that an operator asked for.
struct SwitchoverOrder {
    Uuid candidate{};
    std::string candidate_name{};
    enum class Checkpoint : std::uint8_t { none, running, done } checkpoint{};
    Instant asked{};
    bool restart = false;  ///< the candidate is this member: it stops, and leads again at once
};

/// What an operator asked of a standby.
struct StandbyOrder {
    enum class What : std::uint8_t {
        restart,
        reinitialize,  ///< its data directory is removed and copied anew
    } what{};
    Instant asked{};
};

/// What one plan asks the next to remember; nothing else persists between decisions.
struct Memory {
    std::int64_t record_revision = 0;  ///< the version that the wait W is counted for
    std::string record_value{};
    Instant record_first_seen{};
    Millis record_wait{};       ///< W for that version
    bool switching = false;     ///< this member stops in order to hand over
    bool handed_over = false;   ///< an operator wants this member to lead, be the cluster paused
    Instant restarts_until{};   ///< the own handover to itself may not be seen yet before then
    bool bootstrapped = false;  ///< users of a fresh cluster are created
    Epoch checked_epoch = 0;    ///< leader epoch that divergence was checked against
    Instant checked_at{};
    Instant gave_way_since{};   ///< a better candidate is expected to claim
    Instant suspect_until{};    ///< L12: the store may have gone back
    Epoch suspected_epoch = 0;  ///< and up to which epoch that has been waited for
    Instant refused_until{};    ///< a member's answer forbade a claim; asked again then
    std::string refusal{};      ///< and what it said
    Instant waiting_for_leader_since{};
    Instant leaderless_since{};   ///< neither Howdah's record nor Patroni's key is there
    Uuid missing_claimer{};       ///< has had no member key,
    Instant missing_since{};      ///< since then; never: all have one
    Instant sick_since{};         ///< PostgreSQL here lives and can't do its work; never: it can
    Epoch names_set_for = 0;      ///< epoch that synchronous_standby_names was prepared for
    Epoch writable_epoch = 0;     ///< epoch in which PostgreSQL was first seen as primary,
    pg::Lsn writable_lsn{};       ///< where its WAL ended then,
    Instant writable_at{};        ///< and when
    std::string barrier_names{};  ///< the setting that is in force,
    pg::Lsn barrier_lsn{};        ///< and where WAL ended when it had come into force everywhere
    bool operator==(const Memory&) const = default;
};

/// Everything that a decision may depend on, time and running jobs included; nothing in it is live.
struct View {
    Instant now{};  ///< CLOCK_BOOTTIME, read once a cycle
    Settings settings{};
    Self self{};
    Local local{};
    std::optional<Tenure> tenure{};  ///< set while this incarnation holds the record
    bool claim_unresolved = false;   ///< a claim was sent and nobody answered
    bool on_promises = false;        ///< the store is silent; promises carry the term (G1)
    Shared<Cluster> cluster{};       ///< last consistent copy of the store; none: never had one
    Instant record_seen{};           ///< when this process saw its record first; never: now
    std::optional<Record> last_record{};  ///< the newest one seen, when the store has none or less
    bool cluster_fresh = false;           ///< the store answered within the last T
    Peers peers{};
    Votes votes{};
    /// What synchronous_standby_names was last seen to be in force everywhere as; nullopt: unknown.
    std::optional<std::string> confirmed_names{};
    std::optional<SwitchoverOrder> order{};
    std::optional<StandbyOrder> standby_order{};
    std::optional<RecoverOrder> recover{};
    Memory memory{};
};

/// Takes the record by L6 and L8. `in_place`: start the local data directory as primary afterwards.
struct ClaimRecord {};
/// L10: from the earlier incarnation of this member.
struct TakeOver {};
/// Asks every other member for its Standing, about this version of the record.
struct AskPeers {
    std::int64_t about_revision = 0;
    Millis limit{};
};
/// Asks these members to stop receiving from lower epochs, and does so here.
struct Seal {
    Epoch epoch = 0;
    std::vector<Voter> voters{};
};
/// synchronous_standby_names, durably; done when it is in force in every walsender.
struct SetStandbyNames {
    std::string text{};
};
/// Publishes a sync set: in the record and for Patroni's tools in `/sync`.
struct PublishSync {
    SyncSet set{};
};
/// Tells the others the new timeline before the sync barrier is passed, so that they can follow.
struct ShowTimeline {
    pg::Timeline timeline = 0;
};
struct Promote {};
/// Kills the whole PostgreSQL tree and waits until it is proven dead.
struct Fence {};
struct Stop {
    bool immediate = false;
};
struct StartStandby {
    std::optional<Upstream> follow{};
};
struct StartPrimary {};
struct Follow {
    std::optional<Upstream> from{};
};
/// Creates `/initialize`, so that one member alone bootstraps.
struct RaceInitialize {};
struct Initialize {};
/// Users, `/initialize`, `/config` of a cluster that this member just created.
struct FinishBootstrap {};
struct Clone {
    Upstream from{};
};
/// Removes the data directory of a member that is down, and copies it anew.
struct Reinitialize {
    Upstream from{};
};
/// Forgets the order to a standby: it is carried out from here on without it.
struct EndStandbyOrder {};
struct CheckDivergence {
    Upstream from{};
};
struct Rewind {
    Upstream from{};
};
/// Writes state=primary with the timeline and its beginning, so that endpoints open.
struct MarkPrimary {
    pg::Timeline timeline = 0;
};
/// Writes state=released; the term ends with the sending.
struct Release {
    pg::Lsn lsn{};
};
struct HandOver {
    Uuid to{};
    pg::Lsn lsn{};
};
/// Writes `/initialize` and `/config` that the store lost.
struct RestoreScope {};
struct BeginCheckpoint {};
/// Forgets the order and tells who asked.
struct EndSwitchover {
    bool done = false;
    std::string why{};
};
/// Writes who may claim from now on, and with it `/failsafe`.
struct SetClaimers {
    std::vector<Uuid> claimers{};
    std::optional<std::string> failsafe{};  ///< nullopt: as it was
};
/// The agent can't go on with this data directory; it logs the reason and exits with an error.
struct Halt {};

using Action =
    std::variant<ClaimRecord, TakeOver, AskPeers, Seal, SetStandbyNames, PublishSync, ShowTimeline,
                 Promote, Fence, Stop, StartStandby, StartPrimary, Follow, RaceInitialize,
                 Initialize, FinishBootstrap, Clone, Reinitialize, EndStandbyOrder, CheckDivergence,
                 Rewind, MarkPrimary, Release, HandOver, BeginCheckpoint, EndSwitchover,
                 SetClaimers, RestoreScope, Halt>;

struct Plan {
    std::string_view rule{};         ///< which rule decided: logged, and shown by `howdah explain`
    std::string why{};               ///< one sentence with the numbers it was decided on
    std::vector<Action> actions{};   ///< in order; one that fails ends the cycle
    std::optional<Memory> memory{};  ///< what to pass to the next decision; nullopt: as it was
    Instant wake{};  ///< decide again then at the latest; never: at the next event or loop
};

/// The whole policy: total, deterministic, without I/O or clock.
Plan decide(const View& view);

/// Names of all rules, for the check that every one of them fires in the simulation.
std::vector<std::string_view> rule_names();

}  // namespace howdah::ha
