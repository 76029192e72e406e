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
constexpr Millis ask_limit{1000};

bool is_sick_primary(const View& v) {
    return holds_as(v, RecordState::primary) && v.local.role == Role::primary &&
           v.local.postmaster && !v.local.job.running && !v.memory.switching && !v.on_promises &&
           !v.settings.pause && !v.memory.sick_since.never() &&
           v.now >= v.memory.sick_since + must_last;
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

RuleResult look_for_a_healthy_one(const View& v) {
    if (!is_sick_primary(v) || (!v.peers.asked.never() && v.now < v.peers.asked + ask_every)) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("{}; could another member take over?", sickness(v.local, v.now)),
                .actions = {AskPeers{.about_revision = v.cluster ? v.cluster->record.revision : 0,
                                     .limit = ask_limit}}};
}

/// Only for a healthy one: with nobody to take over, sick is better than down.
RuleResult leave_sick_primary(const View& v) {
    if (!is_sick_primary(v) || !v.peers.complete || v.peers.asked < v.memory.sick_since) {
        return std::nullopt;
    }
    const auto* candidate = healthy_candidate(v);
    if (candidate == nullptr || (candidate->received < v.local.lsn &&
                                 v.now < v.memory.sick_since + must_last + wait_for_wal)) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("{}; {} is healthy and can take over", sickness(v.local, v.now),
                                   candidate->name),
                .actions = {Fence{}}};
}

}  // namespace

std::vector<Rule> health_rules() {
    return {{"leave_sick_primary", leave_sick_primary},
            {"look_for_a_healthy_one", look_for_a_healthy_one}};
}

}  // namespace howdah::ha
