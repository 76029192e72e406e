#include <fmt/format.h>

#include <algorithm>

#include "ha/rules.h"

namespace howdah::ha {
namespace {

constexpr Nanos switchover_patience = Seconds(60);
/// A candidate further behind would keep clients waiting while it catches up.
constexpr std::uint64_t switchover_lag_bytes = 16U << 20U;
constexpr int start_attempts = 3;  // "quarantined" after that

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

RuleResult hand_over(const View& v) {
    if (!v.tenure || !v.memory.switching || !v.order || !postgres_is_down(v)) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.switching = false;
    memory.restarts_until = v.order->restart ? v.now + Seconds(2) : Instant{};
    return Plan{.why = fmt::format("stopped at {}; {} takes over", end_of_wal(v).text(),
                                   v.order->candidate_name),
                .actions = {HandOver{.to = v.order->candidate, .lsn = end_of_wal(v)},
                            EndSwitchover{.done = true}},
                .memory = memory};
}

RuleResult report_death(const View& v) {
    // Endpoints that may be open must be closed before PostgreSQL starts again: what it recovers
    // may be on no standby yet.
    const auto open = holds_as(v, RecordState::primary) || (v.tenure && v.tenure->may_be_primary);
    if (!open || !postgres_is_down(v) || v.local.job.running) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("PostgreSQL is down and proven dead; its WAL ends at {}",
                                   end_of_wal(v).text()),
                .actions = {Release{.lsn = end_of_wal(v)}}};
}

/// Only what was primary last, or a cluster just made here, may start writable.
bool may_start_in_place(const View& v) {
    return v.self.won_initialize || v.tenure->record.promoted.uuid == v.self.uuid;
}

RuleResult start_in_place(const View& v) {
    if (!holds_as(v, RecordState::claimed) || !postgres_is_down(v) || v.local.job.running ||
        v.local.data_dir != DataDir::initialized || !may_start_in_place(v) ||
        !has_room_to_promote(v) || votes_missing(v) || promise_stands(v) ||
        (v.local.job.kind == JobKind::start && v.local.job.failures >= start_attempts) ||
        backing_off(v, JobKind::start, Millis(500))) {
        return std::nullopt;
    }
    return Plan{.why = v.self.won_initialize ? "a new cluster was created here"
                                             : "no other member took over; recovering in place",
                .actions = {StartPrimary{}}};
}

RuleResult give_back(const View& v) {
    if (!holds_as(v, RecordState::claimed) || !postgres_is_down(v) || v.local.job.running ||
        backing_off(v, JobKind::start, Millis(500))) {
        return std::nullopt;
    }
    return Plan{.why = "PostgreSQL does not run here, so this member can't lead",
                .actions = {Release{.lsn = end_of_wal(v)}}};
}

RuleResult promote(const View& v) {
    if (!holds_as(v, RecordState::claimed) || v.local.role != Role::standby || !v.local.accepting ||
        v.local.job.running || !has_room_to_promote(v) ||
        (v.settings.pause && !v.memory.handed_over) || votes_missing(v) || promise_stands(v)) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("this standby holds epoch {}, at {}", v.tenure->epoch,
                                   v.local.lsn.text()),
                .actions = {Promote{}}};
}

RuleResult finish_bootstrap(const View& v) {
    if (!holds_as(v, RecordState::claimed) || !v.self.won_initialize ||
        v.local.role != Role::primary || !v.local.accepting || v.local.job.running) {
        return std::nullopt;
    }
    return Plan{.why = "the new cluster runs", .actions = {FinishBootstrap{}}};
}

RuleResult mark_primary(const View& v) {
    if (!holds_as(v, RecordState::claimed) || v.local.role != Role::primary || !v.local.accepting ||
        v.local.timeline == 0 || v.local.job.running || !barrier_passed(v)) {
        return std::nullopt;
    }
    return Plan{
        .why = fmt::format("writable on timeline {} from {}", v.local.timeline, v.local.lsn.text()),
        .actions = {MarkPrimary{.timeline = v.local.timeline}}};
}

const Standing* standing_of(const View& v, const Uuid& uuid) {
    const auto& all = v.peers.standings;
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Standing& s) { return s.uuid == uuid; });
    return found == all.end() ? nullptr : &*found;
}

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
                                 .limit = Millis(1000)}}};
    }
    if (auto why = objection(v, standing_of(v, v.order->candidate)); !why.empty()) {
        return Plan{.why = "switchover refused: " + why, .actions = {EndSwitchover{.why = why}}};
    }
    return std::nullopt;
}

RuleResult switch_over(const View& v) {
    if (!v.order || !leads(v) || v.local.job.running || v.memory.switching || v.on_promises) {
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
    memory.switching = true;
    return Plan{.why = v.order->restart
                           ? "stopping for a restart"
                           : fmt::format("switching over to {}", v.order->candidate_name),
                .actions = {Stop{}},
                .memory = memory};
}

RuleResult drop_stale_switchover(const View& v) {
    if (!v.order || v.tenure || v.memory.switching) {
        return std::nullopt;
    }
    return Plan{.why = "this member does not lead any more",
                .actions = {EndSwitchover{.why = "this member does not lead any more"}}};
}

/// The store lost its data while this member led on: what only it knows is written anew.
RuleResult restore_scope(const View& v) {
    if (!leads(v) || !v.cluster || !v.cluster_fresh || v.cluster->initialize ||
        v.self.won_initialize || v.on_promises || v.cluster->record.absent()) {
        return std::nullopt;
    }
    return Plan{.why = "the store lost /initialize: writing it anew, and /config with it",
                .actions = {RestoreScope{}}};
}

RuleResult lead(const View& v) {
    if (!v.tenure) {
        return std::nullopt;
    }
    const auto& lease = v.settings.lease;
    Plan plan{.wake = v.tenure->deadline - lease.fence_budget - lease.graceful_budget};
    plan.why = v.local.job.running ? "holding the record while PostgreSQL changes"
               : leads(v) ? fmt::format("the primary of epoch {} on timeline {}", v.tenure->epoch,
                                        v.local.timeline)
                          : fmt::format("holding epoch {}; PostgreSQL is not writable yet",
                                        v.tenure->epoch);
    return plan;
}

}  // namespace

std::vector<Rule> holder_rules() {
    return {{"hand_over", hand_over},
            {"report_death", report_death},
            {"start_in_place", start_in_place},
            {"give_back", give_back},
            {"promote", promote},
            {"finish_bootstrap", finish_bootstrap},
            {"mark_primary", mark_primary},
            {"switch_over", switch_over},
            {"drop_stale_switchover", drop_stale_switchover},
            {"restore_scope", restore_scope},
            {"lead", lead}};
}

}  // namespace howdah::ha
