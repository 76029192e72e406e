#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.h"
#include "ha/rules.h"

namespace howdah::ha {

namespace {

constexpr Nanos switchover_patience = Seconds(60);
/// A candidate further behind would keep clients waiting while it catches up.
constexpr std::uint64_t switchover_lag_bytes = 16U << 20U;
/// `dcs recover` leaps over 2^32 epochs; nobody has opened so many timelines.
constexpr Epoch left_out_at_most = 64;
constexpr Nanos start_again_after = Millis(500);
constexpr Millis ask_limit{1000};

bool leads(const View& v) {
    return holds_as(v, RecordState::primary) && v.local.role == Role::primary && v.local.accepting;
}

bool has_room_to_promote(const View& v) {
    const auto& lease = v.settings.lease;
    return v.now + lease.fence_budget + lease.promote_budget < v.tenure->deadline;
}

/// Where the WAL of the dead server ends. Unknown: past everything, so that nobody takes himself
/// for complete.
pg::Lsn end_of_wal(const View& v) {
    return v.local.final_lsn == pg::Lsn{} ? pg::Lsn(~std::uint64_t{0}) : v.local.final_lsn;
}

/// It is down because it was to be, and somebody is to take over.
bool is_handing_over(const View& v) {
    return v.tenure && v.memory.decided.switching && v.order && postgres_is_down(v);
}

}  // namespace

RuleResult rule::hand_over(const View& v) {
    if (!is_handing_over(v)) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.decided.switching = false;
    memory.decided.start_again = true;
    if (v.memory.noticed.stop_cut && !v.order->restart) {
        // The candidate may lack the last bytes: whoever has all of it leads on, if need be this
        // one.
        return Plan{.why = fmt::format("cut off at {}; {} takes over if it has all of it",
                                       end_of_wal(v).text(), v.order->candidate_name),
                    .actions = {Release{.lsn = end_of_wal(v)}, EndSwitchover{.done = true}},
                    .memory = memory};
    }
    memory.decided.restarts_until = v.order->restart ? v.now + seen_within : Instant{};
    return Plan{.why = fmt::format("stopped at {}; {} takes over", end_of_wal(v).text(),
                                   v.order->candidate_name),
                .actions = {HandOver{.to = v.order->candidate, .lsn = end_of_wal(v)},
                            EndSwitchover{.done = true}},
                .memory = memory};
}

RuleResult rule::report_death(const View& v) {
    // Endpoints that may be open must be closed before PostgreSQL starts again: what it recovers
    // may be on no standby yet.
    const auto open = holds_as(v, RecordState::primary) || (v.tenure && v.tenure->may_be_primary);
    if (!open || is_handing_over(v) || !postgres_is_down(v) || v.local.job.running) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.decided.left_epoch = v.tenure->epoch;
    memory.decided.left_at = v.now;
    return Plan{.why = fmt::format("PostgreSQL is down and proven dead; its WAL ends at {}",
                                   end_of_wal(v).text()),
                .actions = {Release{.lsn = end_of_wal(v)}},
                .memory = memory};
}

namespace {

/// Only what was primary last, or a cluster just made here, may start writable.
bool may_start_in_place(const View& v) {
    return v.self.won_initialize || v.tenure->record.promoted.uuid == v.self.uuid;
}

/// It waits for a moment after a start that failed.
bool tried_to_start_just_now(const View& v) {
    return backing_off(v, JobKind::start, start_again_after);
}

bool can_start_in_place(const View& v) {
    return holds_as(v, RecordState::claimed) && postgres_is_down(v) && !v.local.job.running &&
           v.local.data_dir == DataDir::initialized && !v.local.restored && may_start_in_place(v) &&
           has_room_to_promote(v) && !votes_missing(v) && !promise_stands(v) &&
           v.memory.decided.gave_up_epoch != v.tenure->epoch && !gave_up_starting(v.local.job);
}

}  // namespace

namespace {

/// How far a recovery has come, for people.
std::string recovery_stands(const View& v) {
    const auto& local = v.local;
    const auto at = local.replayed == pg::Lsn{} ? "" : ", now at " + local.replayed.text();
    if (local.job.kind == JobKind::start && local.job.failures > 0) {
        return "the restored cluster recovers, but not for this agent: " + local.job.error;
    }
    if (!local.replay_paused) {
        return fmt::format("recovering the restored cluster to {}{}", local.restored->target, at);
    }
    return fmt::format(
        "PostgreSQL has paused its recovery to {}{}: where it is at its target, look at the data, "
        "then `SELECT pg_wal_replay_resume()` ends the recovery, and this member leads; else its "
        "log names the parameter that is lower than the old primary's",
        local.restored->target, at);
}

}  // namespace

/// What a restore left becomes the scope's first primary by its own recovery, which ends by itself:
/// so it runs only while this member holds the record, and the fencer is armed (L11).
RuleResult rule::recover_restored(const View& v) {
    if (!holds_as(v, RecordState::claimed) || !v.self.won_initialize || !v.local.restored ||
        v.local.data_dir != DataDir::initialized) {
        return std::nullopt;
    }
    if (v.local.postmaster) {
        return Plan{.why = recovery_stands(v)};
    }
    if (!postgres_is_down(v) || v.local.job.running || !has_room_to_promote(v) ||
        promise_stands(v)) {
        return std::nullopt;
    }
    // `bootstrap` claims again when it is time for the next attempt.
    if (backing_off(v, JobKind::start, start_again_after)) {
        return Plan{.why = "the restored cluster was not recovered: " + v.local.job.error,
                    .actions = {Release{.lsn = end_of_wal(v)}}};
    }
    return Plan{.why = fmt::format("recovering the restored cluster to {}; nothing is archived "
                                   "before it has an archive of its own",
                                   v.local.restored->target),
                .actions = {RecoverRestored{}}};
}

RuleResult rule::start_in_place(const View& v) {
    if (!can_start_in_place(v) || tried_to_start_just_now(v)) {
        return std::nullopt;
    }
    return Plan{.why = v.self.won_initialize ? "a new cluster was created here"
                                             : "no other member took over; recovering in place",
                .actions = {StartPrimary{}}};
}

RuleResult rule::give_back(const View& v) {
    if (!holds_as(v, RecordState::claimed) || can_start_in_place(v) || !postgres_is_down(v) ||
        v.local.job.running || tried_to_start_just_now(v)) {
        return std::nullopt;
    }
    return Plan{.why = "PostgreSQL does not run here, so this member can't lead",
                .actions = {Release{.lsn = end_of_wal(v)}}};
}

namespace {

const Standing* standing_of(const View& v, const Uuid& uuid) {
    const auto& all = v.peers.standings;
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Standing& s) { return s.uuid == uuid; });
    return found == all.end() ? nullptr : &*found;
}

/// This standby has its votes and may be promoted now.
bool may_promote(const View& v) {
    return holds_as(v, RecordState::claimed) && v.local.role == Role::standby &&
           v.local.accepting && !v.local.job.running && has_room_to_promote(v) &&
           !v.settings.standby_cluster && (!v.settings.pause || v.memory.decided.handed_over) &&
           !votes_missing(v) && !promise_stands(v);
}

/// A claimer of the record that has answered nothing, and whose key is gone. The last primary does
/// not count: it can't be promoted.
bool somebody_is_silent(const View& v) {
    const auto& record = v.tenure->record;
    return std::ranges::any_of(record.claimers, [&](const Uuid& uuid) {
        return uuid != v.self.uuid && uuid != record.promoted.uuid && v.cluster &&
               v.cluster->member_by_uuid(uuid) == nullptr && standing_of(v, uuid) == nullptr &&
               std::ranges::find(v.votes.votes, uuid, &Vote::uuid) == v.votes.votes.end();
    });
}

/// Greater than every number that somebody may have opened (N1). The next one is left to a silent
/// member: it is the one that a promotion by hand would open there.
pg::Timeline unused_timeline(const View& v) {
    const auto& record = v.tenure->record;
    auto last =
        std::max({v.local.timeline, v.local.control.timeline, v.self.greatest_timeline,
                  record.reserved.timeline, record.promoted.timeline, record.last_start.timeline});
    for (const auto& vote : v.votes.votes) {
        last = std::max(last, vote.timeline);
    }
    for (const auto& standing : v.peers.standings) {
        last = std::max(last, standing.timeline);
    }
    // An epoch in between may have taken one that the store has lost, or that it never showed.
    const auto unseen = v.tenure->epoch - std::min(v.tenure->epoch, record.reserved.epoch + 1);
    const auto left_out = record.reserved.epoch == 0 ? 0 : std::min(unseen, left_out_at_most);
    return last + static_cast<pg::Timeline>(left_out) + (somebody_is_silent(v) ? 2 : 1);
}

bool has_reserved(const View& v) {
    const auto& reserved = v.tenure->record.reserved;
    return reserved.epoch == v.tenure->epoch && reserved.timeline > v.local.timeline;
}

}  // namespace

RuleResult rule::reserve_timeline(const View& v) {
    if (!may_promote(v) || has_reserved(v) || HD_MUTANT(timeline_not_unique)) {
        return std::nullopt;
    }
    const auto timeline = unused_timeline(v);
    return Plan{.why = fmt::format("timeline {} is for this promotion alone", timeline),
                .actions = {ReserveTimeline{.timeline = timeline}}};
}

RuleResult rule::promote(const View& v) {
    if (!may_promote(v) || (!has_reserved(v) && !HD_MUTANT(timeline_not_unique))) {
        return std::nullopt;
    }
    const auto timeline = HD_MUTANT(timeline_not_unique) ? 0 : v.tenure->record.reserved.timeline;
    return Plan{.why = fmt::format("this standby holds epoch {}, at {}", v.tenure->epoch,
                                   v.local.lsn.text()),
                .actions = {Promote{.timeline = timeline}}};
}

/// The key came between the claim and the promotion.
RuleResult rule::refuse_to_lead_a_standby_cluster(const View& v) {
    if (!v.settings.standby_cluster || !holds_as(v, RecordState::claimed) ||
        v.local.role != Role::standby) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("no promotion: {}", standby_cluster_refused),
                .actions = {Release{.lsn = v.local.lsn}}};
}

RuleResult rule::finish_bootstrap(const View& v) {
    if (!holds_as(v, RecordState::claimed) || !v.self.won_initialize ||
        v.local.role != Role::primary || !v.local.accepting || v.local.job.running) {
        return std::nullopt;
    }
    return Plan{.why = "the new cluster runs", .actions = {FinishBootstrap{}}};
}

RuleResult rule::mark_primary(const View& v) {
    if (!holds_as(v, RecordState::claimed) || v.local.role != Role::primary || !v.local.accepting ||
        v.local.timeline == 0 || v.local.job.running || !barrier_passed(v)) {
        return std::nullopt;
    }
    return Plan{
        .why = fmt::format("writable on timeline {} from {}", v.local.timeline, v.local.lsn.text()),
        .actions = {MarkPrimary{.timeline = v.local.timeline}}};
}

namespace {

/// Why the candidate of the order can't take over now; empty when it can.
std::string objection(const View& v, const Standing* candidate) {
    const auto& name = v.order->candidate_name;
    if (candidate == nullptr) {
        return fmt::format("{} does not answer", name);
    }
    if (!candidate->may_lead) {
        return fmt::format("{} is not a standby that may lead", name);
    }
    const auto ours = v.local.lsn.bytes();
    const auto theirs = candidate->received.bytes();
    if (candidate->timeline != v.local.timeline || theirs + switchover_lag_bytes < ours) {
        return fmt::format("{} is {} MB behind", name, ours > theirs ? (ours - theirs) >> 20U : 0);
    }
    return {};
}

/// What comes before the stop; nullopt: the candidate is fit. A restart needs nobody else.
RuleResult hear_the_candidate(const View& v) {
    if (v.order->restart) {
        return std::nullopt;
    }
    if (v.peers.asked >= v.order->asked && !v.peers.complete) {
        return Plan{.why = fmt::format("waiting for the answer of {}", v.order->candidate_name)};
    }
    if (v.peers.asked < v.order->asked) {
        return Plan{
            .why = fmt::format("asking {} how it stands", v.order->candidate_name),
            .actions = {AskPeers{.about_revision = v.cluster ? v.cluster->record.revision : 0,
                                 .limit = ask_limit}}};
    }
    if (auto why = objection(v, standing_of(v, v.order->candidate)); !why.empty()) {
        return Plan{.why = "switchover refused: " + why, .actions = {EndSwitchover{.why = why}}};
    }
    return std::nullopt;
}

}  // namespace

RuleResult rule::switch_over(const View& v) {
    if (!v.order || !leads(v) || v.local.job.running || v.memory.decided.switching ||
        v.on_promises) {
        return std::nullopt;
    }
    if (v.now > v.order->asked + switchover_patience) {
        return Plan{.why = "the switchover did not begin in time",
                    .actions = {EndSwitchover{.why = "no quiet moment within a minute"}}};
    }
    if (v.order->checkpoint == SwitchoverOrder::Checkpoint::none) {
        return Plan{.why = v.order->restart
                               ? "a restart was asked for: checkpoint first"
                               : fmt::format("a switchover to {} was asked for: checkpoint first",
                                             v.order->candidate_name),
                    .actions = {BeginCheckpoint{}}};
    }
    if (v.order->checkpoint == SwitchoverOrder::Checkpoint::running) {
        return Plan{.why = "checkpoint before the switchover"};
    }
    if (auto not_yet = hear_the_candidate(v)) {
        return not_yet;
    }
    auto memory = v.memory;
    memory.decided.switching = true;
    return Plan{.why = v.order->restart
                           ? "stopping for a restart"
                           : fmt::format("switching over to {}", v.order->candidate_name),
                .actions = {Stop{}},
                .memory = memory};
}

RuleResult rule::drop_stale_switchover(const View& v) {
    if (!v.order || v.tenure || v.memory.decided.switching) {
        return std::nullopt;
    }
    return Plan{.why = "this member does not lead any more",
                .actions = {EndSwitchover{.why = "this member does not lead any more"}}};
}

/// The store lost its data while this member led on: what only it knows is written anew.
RuleResult rule::restore_scope(const View& v) {
    if (!leads(v) || !v.cluster || !v.cluster_fresh ||
        (v.cluster->initialize == v.local.system_id && !v.cluster->config_json.empty()) ||
        v.self.won_initialize || v.on_promises || v.cluster->record.absent()) {
        return std::nullopt;
    }
    return Plan{.why = "the store lost /initialize or /config: writing them anew",
                .actions = {RestoreScope{}}};
}

RuleResult rule::lead(const View& v) {
    if (!v.tenure) {
        return std::nullopt;
    }
    const auto& lease = v.settings.lease;
    const auto objection = why_no_new_cluster(v.settings);
    Plan plan{.wake = v.tenure->deadline - lease.fence_budget - lease.graceful_budget};
    plan.why = v.local.job.running ? "holding the record while PostgreSQL changes"
               : leads(v) ? fmt::format("the primary of epoch {} on timeline {}{}", v.tenure->epoch,
                                        v.local.timeline, objection.empty() ? "" : "; " + objection)
                          : fmt::format("holding epoch {}; PostgreSQL is not writable yet{}",
                                        v.tenure->epoch,
                                        v.local.job.error.empty() ? "" : "; " + v.local.job.error);
    return plan;
}

}  // namespace howdah::ha
