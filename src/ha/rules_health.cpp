#include <fmt/format.h>

#include <algorithm>

#include "ha/rules.h"
#include "ha/sickness.h"

namespace howdah::ha {

namespace {

/// Trouble that passes by itself is none.
constexpr Nanos must_last = Seconds(4);
/// So long the sick primary stays for a standby that is to catch up with it.
constexpr Nanos wait_for_wal = Seconds(10);
constexpr Nanos ask_every = Seconds(5);
/// What is not dead by then waits for a device that does not answer (F3).
constexpr Nanos death_takes = Seconds(3);
constexpr Millis ask_limit{1000};

bool is_sick_primary(const View& v) {
    return holds_as(v, RecordState::primary) && v.local.role == Role::primary &&
           v.local.postmaster && !v.local.job.running && !v.memory.decided.switching &&
           !v.on_promises && !v.settings.pause && !v.memory.noticed.sick_since.never() &&
           v.now >= v.memory.noticed.sick_since + must_last;
}

/// The standby that could take over, and how much WAL it would lose.
const Standing* healthy_candidate(const View& v) {
    const Standing* best = nullptr;
    for (const auto& s : v.peers.standings) {
        if (s.may_lead && s.timeline == v.local.timeline &&
            s.received.bytes() + v.settings.maximum_lag_on_failover >= v.local.lsn.bytes() &&
            (best == nullptr || s.received > best->received)) {
            best = &s;
        }
    }
    return best;
}

}  // namespace

RuleResult rule::look_for_a_healthy_one(const View& v) {
    if (!is_sick_primary(v) || (!v.peers.asked.never() && v.now < v.peers.asked + ask_every)) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("{}; could another member take over?", sickness(v.local, v.now)),
                .actions = {AskPeers{.about_revision = v.cluster ? v.cluster->record.revision : 0,
                                     .limit = ask_limit}}};
}

/// Only for a healthy one: with nobody to take over, sick is better than down.
RuleResult rule::leave_sick_primary(const View& v) {
    if (!is_sick_primary(v) || !v.peers.complete || v.peers.asked < v.memory.noticed.sick_since) {
        return std::nullopt;
    }
    const auto* candidate = healthy_candidate(v);
    if (candidate == nullptr || (candidate->received < v.local.lsn &&
                                 v.now < v.memory.noticed.sick_since + must_last + wait_for_wal)) {
        return std::nullopt;
    }
    auto memory = v.memory;
    std::vector<Action> actions{Fence{}};
    if (!v.local.disk_waits_since.never()) {
        // What waits for this disk will hardly die: the term runs out meanwhile.
        memory.decided.ending_epoch = v.tenure->epoch;
        actions = {LetTermEnd{}, Fence{}};
    }
    return Plan{.why = fmt::format("{}; {} is healthy and can take over", sickness(v.local, v.now),
                                   candidate->name),
                .actions = std::move(actions),
                .memory = memory};
}

/// N3: nobody waits for a holder that can neither work nor prove its end.
RuleResult rule::let_term_end(const View& v) {
    if (!v.tenure || v.local.tree_dead || v.memory.noticed.fence_asked.never() ||
        v.now < v.memory.noticed.fence_asked + death_takes ||
        v.memory.decided.ending_epoch == v.tenure->epoch) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.decided.ending_epoch = v.tenure->epoch;
    return Plan{.why = fmt::format("PostgreSQL was to be killed {} ago and is not proven dead: the "
                                   "term is left to run out",
                                   seconds_text(v.now - v.memory.noticed.fence_asked)),
                .actions = {LetTermEnd{}},
                .memory = memory};
}

}  // namespace howdah::ha
