#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.h"
#include "ha/rules.h"
#include "ha/sickness.h"

namespace howdah::ha {
namespace {

/// How long a member with less WAL leaves the claim to one with more.
constexpr Nanos courtesy = Seconds(1);
constexpr Millis ask_again_after{500};
constexpr Millis quick_round{50};

std::string ineligible(const View& v) {
    const auto all = ineligibilities(v);
    return all.empty() ? "" : all.front();
}

bool is_candidate(const View& v) {
    return record_of(v) != nullptr && !v.tenure && !v.claim_unresolved &&
           v.local.role == Role::standby && v.local.accepting && !v.local.job.running;
}

bool asked_about_this_version(const View& v) {
    return !v.peers.asked.never() && v.peers.about_revision == v.cluster->record.revision;
}

/// Why the answers of the others forbid a claim.
struct Veto {
    std::string why{};
    Epoch above = 0;  ///< L12: an epoch that the store should know; 0: it's not about that
};

std::optional<Veto> veto(const View& v) {
    const auto* record = record_of(v);
    for (const auto& s : v.peers.standings) {
        if (s.holds) {
            return Veto{.why = fmt::format("{} says that it holds the record", s.name)};
        }
        // Suspected once, for 2W; after that L8 counts: the claim's epoch is above all of these.
        if (s.stored_epoch > record->epoch && s.stored_epoch > v.memory.suspected_epoch) {
            return Veto{.why = fmt::format("{} has stored epoch {}, the record says {}", s.name,
                                           s.stored_epoch, record->epoch),
                        .above = s.stored_epoch};
        }
        if (s.seen_revision > v.cluster->record.revision) {
            return Veto{.why = fmt::format("{} has seen a newer version of the record", s.name)};
        }
    }
    return std::nullopt;
}

/// One whose word counts in the sync set spares a handover.
bool voter_goes_first(const View& v) {
    const auto& set = record_of(v)->sync;
    return !set.empty() && set.voter(v.self.uuid) == nullptr;
}

/// (timeline, LSN): LSNs of different timelines don't compare.
const Standing* better_candidate(const View& v) {
    for (const auto& s : v.peers.standings) {
        const auto theirs = std::max(s.received, s.replayed);
        const auto comparable = s.timeline == v.local.timeline || HD_MUTANT(lsn_without_epoch);
        if (s.may_lead && (comparable ? theirs > v.local.lsn : s.timeline > v.local.timeline)) {
            return &s;
        }
    }
    return nullptr;
}

RuleResult stay_out(const View& v) {
    if (!is_candidate(v)) {
        return std::nullopt;
    }
    const auto why = ineligible(v);
    if (why.empty()) {
        return std::nullopt;
    }
    return Plan{.why = "this standby does not claim: " + why};
}

RuleResult claim_handover(const View& v) {
    if (!is_candidate(v) || !is_handed_to_self(v) || !ineligible(v).empty()) {
        return std::nullopt;
    }
    const auto* record = record_of(v);
    if (v.local.lsn < record->lsn) {
        return Plan{.why = fmt::format("handed over at {}, but only {} is here", record->lsn.text(),
                                       v.local.lsn.text()),
                    .wake = v.now + Millis(20)};
    }
    auto memory = v.memory;
    memory.handed_over = true;
    return Plan{.why = fmt::format("{} handed over at {}", record->holder_name, record->lsn.text()),
                .actions = {ClaimRecord{}},
                .memory = memory};
}

RuleResult claim_released(const View& v) {
    if (!is_candidate(v) || !ineligible(v).empty() ||
        record_of(v)->state != RecordState::released || v.local.lsn < record_of(v)->lsn) {
        return std::nullopt;
    }
    if (asked_about_this_version(v) && !v.peers.complete) {
        return Plan{.why = "waiting for the others' answers"};
    }
    if (!asked_about_this_version(v)) {
        return Plan{.why = "released; a last question to the others",
                    .actions = {AskPeers{.about_revision = v.cluster->record.revision,
                                         .limit = quick_round}}};
    }
    if (veto(v)) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("{} released at {}, and all of it is here",
                                   record_of(v)->holder_name, record_of(v)->lsn.text()),
                .actions = {ClaimRecord{}}};
}

RuleResult claim_after_wait(const View& v) {
    if (!is_candidate(v) || !ineligible(v).empty()) {
        return std::nullopt;
    }
    const auto free_at = v.memory.record_first_seen + v.memory.record_wait;
    const auto ask_at = free_at - v.settings.lease.ttl / 4;
    if (v.now < ask_at) {
        return std::nullopt;
    }
    if (!asked_about_this_version(v) ||
        (v.peers.complete && v.now > v.peers.asked + v.settings.lease.ttl / 2)) {
        return Plan{.why = fmt::format("no sign of {} for {}: how do the others stand?",
                                       record_of(v)->holder_name,
                                       seconds_text(v.now - v.memory.record_first_seen)),
                    .actions = {AskPeers{.about_revision = v.cluster->record.revision,
                                         .limit = v.settings.lease.ttl / 5}},
                    .wake = free_at};
    }
    if (v.now < free_at || !v.peers.complete) {
        return Plan{.why = fmt::format("{} may still lead for {}", record_of(v)->holder_name,
                                       seconds_text(free_at - v.now)),
                    .wake = std::max(free_at, v.now + Millis(20))};
    }
    if (const auto no = veto(v)) {
        auto memory = v.memory;
        memory.refusal = no->why;
        memory.refused_until = v.now + ask_again_after;
        if (no->above > 0) {
            memory.suspected_epoch = no->above;
            memory.suspect_until = v.now + Nanos(2 * memory.record_wait);
        }
        return Plan{.why = "no claim: " + no->why, .memory = memory, .wake = memory.refused_until};
    }
    if (v.cluster->optime &&
        *v.cluster->optime > v.local.lsn.bytes() + v.settings.maximum_lag_on_failover) {
        return Plan{.why = fmt::format("no claim: {} bytes behind, maximum_lag_on_failover is {}",
                                       *v.cluster->optime - v.local.lsn.bytes(),
                                       v.settings.maximum_lag_on_failover)};
    }
    const auto* better = better_candidate(v);
    auto memory = v.memory;
    if (voter_goes_first(v) && memory.gave_way_since.never()) {
        memory.gave_way_since = v.now;
    }
    if (voter_goes_first(v) && v.now < memory.gave_way_since + courtesy) {
        return Plan{.why = "a member of the sync set goes first",
                    .memory = memory,
                    .wake = memory.gave_way_since + courtesy};
    }
    if (better != nullptr && memory.gave_way_since.never()) {
        memory.gave_way_since = v.now;
    }
    if (better != nullptr && v.now < memory.gave_way_since + courtesy) {
        return Plan{.why = fmt::format("{} has more WAL: it goes first", better->name),
                    .memory = memory,
                    .wake = memory.gave_way_since + courtesy};
    }
    return Plan{.why = fmt::format("{} was not heard of for {}", record_of(v)->holder_name,
                                   seconds_text(v.now - v.memory.record_first_seen)),
                .actions = {ClaimRecord{}}};
}

RuleResult stand_by(const View& v) {
    if (!is_candidate(v) || !v.local.following) {
        return std::nullopt;
    }
    const auto ask_at =
        v.memory.record_first_seen + v.memory.record_wait - v.settings.lease.ttl / 4;
    return Plan{.why = fmt::format("a standby that follows {}", v.local.following->name),
                .wake = std::max(ask_at, v.now + Millis(20))};
}

}  // namespace

std::vector<std::string> ineligibilities(const View& v) {
    const auto* record = record_of(v);
    const auto& claimers = record->claimers;
    std::vector<std::string> all;
    if (v.settings.pause && !is_handed_to_self(v)) {
        all.emplace_back("the cluster is paused");
    }
    if (v.self.nofailover) {
        all.emplace_back("its tag nofailover is set");
    }
    if (std::find(claimers.begin(), claimers.end(), v.self.uuid) == claimers.end() &&
        !HD_MUTANT(non_members_claim)) {
        all.emplace_back("it is not among the claimers of the record");
    }
    if (!record->system_id.empty() && record->system_id != v.local.system_id &&
        !HD_MUTANT(system_id_ignored)) {
        all.emplace_back("its system identifier is another one");
    }
    if (v.local.needs_rewind) {
        all.emplace_back("its WAL left the cluster's history");
    }
    if (v.local.timeline < record->promoted.timeline && !HD_MUTANT(lsn_without_epoch)) {
        all.push_back(fmt::format("it is on timeline {}, the last primary was on {}",
                                  v.local.timeline, record->promoted.timeline));
    }
    if (const auto sick = sickness(v.local, v.now); !sick.empty()) {
        all.push_back(sick);
    }
    if (v.now < v.memory.suspect_until) {
        all.emplace_back("the store may have gone back in time");
    }
    if (lost_sync_set(v)) {
        all.push_back(
            fmt::format("the store has lost the sync set of epoch {}: `howdah dcs recover`",
                        v.last_record->epoch));
    }
    if (v.now < v.memory.refused_until) {
        all.push_back(v.memory.refusal);
    }
    if (promise_stands(v)) {
        all.push_back(fmt::format("it promised {} not to claim for another {}", record->holder_name,
                                  seconds_text(v.self.promised_until - v.now)));
    }
    if (record->sync.mode != SyncMode::off && record->sync.empty() &&
        record->promoted.uuid != v.self.uuid) {
        all.emplace_back(
            "the last primary waited for no standby, so only it holds every acknowledged commit");
    }
    return all;
}

std::vector<Rule> candidate_rules() {
    return {{"stay_out", stay_out},
            {"claim_handover", claim_handover},
            {"claim_released", claim_released},
            {"claim_after_wait", claim_after_wait},
            {"stand_by", stand_by}};
}

}  // namespace howdah::ha
