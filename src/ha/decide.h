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
#include "ha/member_names.h"
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
    std::string refused{};         ///< keys of the configuration that would do harm if read past
    bool standby_cluster = false;  ///< the configuration names a primary elsewhere: not obeyed
    Millis recover_after{300};     ///< F8: how long others may claim before recovery in place
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
    int failover_priority = 1;   ///< its tag: among equals the greatest goes first
    bool can_bootstrap = false;  ///< has a `bootstrap` section, and a lease to race under
    Epoch stored_epoch = 0;      ///< greatest epoch durably stored
    bool won_initialize =
        false;              ///< this run created `/initialize` and has not finished the bootstrap
    Instant armed_until{};  ///< kill instant on the fencer's page; never: not armed
    Instant promised_until{};     ///< no claim before it (G2); never: no promise stands
    Epoch history_epoch = 0;      ///< last epoch in the history of the data directory; 0: unknown
    bool history_opened = false;  ///< that epoch opened the timeline that it is on
    pg::Timeline greatest_timeline = 0;  ///< that this member has ever known of
    HeldWal held{};                      ///< the most WAL that it has held
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
    Epoch epoch = 0;        ///< that was sealed for
    int rounds = 0;         ///< of this epoch
    Instant first_asked{};  ///< when the first of them began
    Instant asked{};        ///< when the last one began; never: no round yet
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
    std::string id{};  ///< of this order, as the member key shows it
};

/// An operator's order to lead although others may hold acknowledged commits that this member lacks
/// (N5).
struct LossAccepted {
    Epoch epoch = 0;  ///< of the record that was looked at
    Instant asked{};
    bool operator==(const LossAccepted&) const = default;
};

/// Seen, or tried: as true when an action of the plan fails.
struct Noticed {
    std::int64_t record_revision = 0;  ///< the version that the wait W is counted for
    std::string record_value{};
    Instant record_first_seen{};
    Millis record_wait{};  ///< W for that version
    /// Version of the record after which Patroni had the key.
    std::int64_t patroni_led_over = 0;
    Instant checked_at{};        ///< when divergence was last looked for
    Instant gave_way_since{};    ///< a better candidate is expected to claim
    Instant suspect_until{};     ///< L12: the store may have gone back
    Epoch suspected_epoch = 0;   ///< and up to which epoch that has been waited for
    Instant refused_until{};     ///< a member's answer forbade a claim; asked again then
    std::string refusal{};       ///< and what it said
    Epoch claimed_epoch = 0;     ///< the last claim of this run,
    Instant claimed_at{};        ///< and since when it is held
    Instant leaderless_since{};  ///< neither Howdah's record nor Patroni's key is there
    Uuid missing_claimer{};      ///< has had no member key,
    Instant missing_since{};     ///< since then; never: all have one
    Instant sick_since{};        ///< PostgreSQL here lives and can't do its work; never: it can
    Instant fence_asked{};       ///< for a tree that is not proven dead yet; never: not asked
    /// A stop in order to hand over was ended by force before pg_control said that it is down.
    bool stop_cut = false;
    Epoch writable_epoch = 0;     ///< epoch in which PostgreSQL was first seen as primary,
    pg::Lsn writable_lsn{};       ///< where its WAL ended then,
    Instant writable_at{};        ///< and when
    std::string barrier_names{};  ///< the setting that is in force,
    pg::Lsn barrier_lsn{};        ///< and where WAL ended when it had come into force everywhere

    /// W after the record was first seen as it is (L6).
    Instant wait_ends() const { return record_first_seen + record_wait; }
    bool operator==(const Noticed&) const = default;
};

/// What the actions of the plan lead to: forgotten when one of them fails.
struct Decided {
    bool switching = false;    ///< this member stops in order to hand over
    bool start_again = false;  ///< it was stopped by this agent: started again in pause, too
    bool handed_over = false;  ///< an operator wants this member to lead, be the cluster paused
    /// It handed over to itself, which the store may not show before then.
    Instant restarts_until{};
    Epoch checked_epoch = 0;  ///< leader epoch that divergence was checked against
    Epoch left_epoch = 0;     ///< the last term that this run gave up,
    Instant left_at{};        ///< and when
    Epoch gave_up_epoch = 0;  ///< the last claim that led nowhere,
    Instant gave_up_until{};  ///< and until when this member lets others try (N4)
    Epoch ending_epoch = 0;   ///< its term is not renewed any more
    Epoch names_set_for = 0;  ///< epoch that synchronous_standby_names was prepared for
    bool operator==(const Decided&) const = default;
};

/// What one plan asks the next to remember; nothing else persists between decisions.
struct Memory {
    Noticed noticed{};
    Decided decided{};
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
    MemberNames names{};                  ///< as members were last called
    bool cluster_fresh = false;           ///< the store answered within the last T
    Peers peers{};
    Votes votes{};
    /// What synchronous_standby_names was last seen to be in force everywhere as; nullopt: unknown.
    std::optional<std::string> confirmed_names{};
    std::optional<SwitchoverOrder> order{};
    std::optional<StandbyOrder> standby_order{};
    std::optional<RecoverOrder> recover{};
    std::optional<LossAccepted> loss_accepted{};
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
    std::optional<std::string> text{};  ///< nullopt: what the configuration says
};
/// Ends a connection that calls itself like a member and is not it.
struct EndWalsender {
    int pid = 0;
    std::string name{};
};
/// Publishes a sync set: in the record and for Patroni's tools in `/sync`.
struct PublishSync {
    SyncSet set{};
};
/// Tells the others the new timeline before the sync barrier is passed, so that they can follow.
struct ShowTimeline {
    pg::Timeline timeline = 0;
};
/// Writes into the record that this claimer's promotion opens this timeline, and nobody else's.
struct ReserveTimeline {
    pg::Timeline timeline = 0;
};
/// Opens exactly this timeline.
struct Promote {
    pg::Timeline timeline = 0;
};
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
/// Claims a directory that a restore made for the bootstrap that this member won: its mark, its
/// origin, and bootstrap.pg_hba.
struct AdoptRestored {};
/// Lets another member begin the scope: removes what this one made for it, and its `/initialize`.
struct YieldBootstrap {};
/// Goes on with the bootstrap that an earlier run of this agent began.
struct ResumeBootstrap {};
/// Starts PostgreSQL so that it recovers to its target and becomes primary by itself.
struct RecoverRestored {};
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
/// Renews the term no more: it runs out at its deadline, and the others need not wait longer.
struct LetTermEnd {};
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
    std::variant<ClaimRecord, TakeOver, AskPeers, Seal, EndWalsender, SetStandbyNames, PublishSync,
                 ShowTimeline, ReserveTimeline, Promote, Fence, Stop, StartStandby, StartPrimary,
                 Follow, RaceInitialize, Initialize, AdoptRestored, YieldBootstrap, ResumeBootstrap,
                 RecoverRestored, FinishBootstrap, Clone, Reinitialize, EndStandbyOrder,
                 CheckDivergence, Rewind, MarkPrimary, Release, HandOver, LetTermEnd,
                 BeginCheckpoint, EndSwitchover, SetClaimers, RestoreScope, Halt>;

struct Plan {
    std::string_view rule{};         ///< which rule decided: logged, and shown by `howdah explain`
    std::string why{};               ///< one sentence with the numbers it was decided on
    std::vector<Action> actions{};   ///< in order; one that fails ends the cycle
    std::optional<Memory> memory{};  ///< what to pass to the next decision; nullopt: as it was
    Instant wake{};  ///< decide again then at the latest; never: at the next event or loop
};

/// No commit of this primary waits for a standby of that name: it is neither in the setting nor may
/// a walsender still act by an older one. `confirmed`: what is in force everywhere.
bool counts_on_nobody_called(const std::string& name, const Tenure& tenure, const Local& local,
                             const std::optional<std::string>& confirmed);

/// The whole policy: total, deterministic, without I/O or clock.
Plan decide(const View& view);

/// What the next decision is told. `done`: all actions of the plan succeeded.
Memory remembered_after(const Plan& plan, bool done, const Memory& before);

/// Why no member of a standby cluster claims, promotes or bootstraps.
constexpr std::string_view standby_cluster_refused =
    "standby_cluster is set, and Howdah leads no standby cluster: remove that key from the "
    "configuration (howdah edit-config -s standby_cluster=null) to let it lead a cluster of its "
    "own";

/// Why no member begins a cluster with these settings, by a bootstrap, a restored directory or
/// Patroni's keys; empty: nothing is in the way. A cluster that is led already goes on.
std::string why_no_new_cluster(const Settings& settings);

/// Names of all rules, for the check that every one of them fires in the simulation.
std::vector<std::string_view> rule_names();

}  // namespace howdah::ha
