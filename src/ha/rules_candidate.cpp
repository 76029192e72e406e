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

std::string ineligible(const View& v) {
    const auto all = ineligibilities(v);
    return all.empty() ? "" : all.front();
}

bool is_candidate(const View& v) {
    return record_of(v) != nullptr && !v.tenure && !v.claim_unresolved &&
           v.local.role == Role::standby && v.local.accepting && !v.local.job.running;
}

/// One whose word counts in the sync set spares a handover.
bool voter_goes_first(const View& v) {
    const auto& set = record_of(v)->sync;
    return !set.empty() && set.voter(v.self.uuid) == nullptr && !HD_MUTANT(lsn_without_epoch);
}

/// The last row of `/history` tells of it: a Patroni primary opened it after the last record.
bool patroni_opened(const View& v, pg::Timeline timeline) {
    const auto& history = v.cluster->history;
    return patroni_led_since(v) && !history.empty() && history.back().parent + 1 == timeline;
}

/// A promotion by hand opened this member's timeline: however high its number, it is none of the
/// cluster's (N16).
bool is_astray(const View& v) {
    const auto& record = *record_of(v);
    return record.promoted.epoch != 0 && v.local.timeline > record.promoted.timeline &&
           v.local.timeline != record.last_start.timeline && !v.self.history_opened &&
           !patroni_opened(v, v.local.timeline) && !HD_MUTANT(astray_counts);
}

/// Nobody with the last primary's timeline may be left; then one with less leads, after W (N5).
bool is_behind_last_primary(const View& v) {
    return v.local.timeline < record_of(v)->promoted.timeline && !HD_MUTANT(lsn_without_epoch);
}

struct Better {
    const Standing* who = nullptr;
    std::string_view why{};
};

/// (timeline, LSN): LSNs of different timelines don't compare. Among equals the tag
/// failover_priority counts.
std::optional<Better> better_candidate(const View& v) {
    std::optional<Better> preferred;
    for (const auto& s : v.peers.standings) {
        const auto theirs = std::max(s.received, s.replayed);
        const auto comparable = s.timeline == v.local.timeline || HD_MUTANT(lsn_without_epoch);
        if (s.may_lead && (comparable ? theirs > v.local.lsn : s.timeline > v.local.timeline)) {
            return Better{.who = &s, .why = "has more WAL"};
        }
        if (s.may_lead && comparable && theirs == v.local.lsn &&
            s.failover_priority > v.self.failover_priority) {
            preferred = Better{.who = &s, .why = "has a greater failover_priority"};
        }
    }
    return preferred;
}

/// What `/status` says that the last primary had.
std::string too_far_behind(const View& v) {
    const auto limit = v.settings.maximum_lag_on_failover;
    if (!v.cluster->optime || *v.cluster->optime <= v.local.lsn.bytes() + limit) {
        return {};
    }
    return fmt::format("{} bytes behind, maximum_lag_on_failover is {}",
                       *v.cluster->optime - v.local.lsn.bytes(), limit);
}

}  // namespace

bool asked_about_this_version(const View& v) {
    return !v.peers.asked.never() && v.peers.about_revision == v.cluster->record.revision;
}

std::optional<Veto> veto(const View& v) {
    const auto* record = record_of(v);
    for (const auto& s : v.peers.standings) {
        if (s.holds) {
            return Veto{.why = fmt::format("{} says that it holds the record", s.name)};
        }
        // Suspected once, for 2W; after that L8 counts: the claim's epoch is above all of these.
        if (s.stored_epoch > record->epoch && s.stored_epoch > v.memory.noticed.suspected_epoch) {
            return Veto{.why = fmt::format("{} has stored epoch {}, the record says {}", s.name,
                                           s.stored_epoch, record->epoch),
                        .above = s.stored_epoch};
        }
        // What it has kept on disk survives its restarts, whatever the store shows now (N8).
        if (std::pair(s.seen_epoch, s.seen_sync_version) >
            std::pair(record->epoch, record->sync_version)) {
            return Veto{
                .why =
                    fmt::format("{} has seen a later sync set, of epoch {}", s.name, s.seen_epoch),
                .above = s.seen_epoch > v.memory.noticed.suspected_epoch ? s.seen_epoch : 0};
        }
        if (s.seen_revision > v.cluster->record.revision) {
            return Veto{.why = fmt::format("{} has seen a newer version of the record", s.name)};
        }
    }
    return std::nullopt;
}

RuleResult rule::stay_out(const View& v) {
    if (!is_candidate(v)) {
        return std::nullopt;
    }
    const auto why = ineligible(v);
    if (why.empty()) {
        return std::nullopt;
    }
    return Plan{.why = "this standby does not claim: " + why};
}

RuleResult rule::claim_handover(const View& v) {
    if (!is_candidate(v) || !is_handed_to_self(v) || !ineligible(v).empty() ||
        patroni_led_since(v)) {
        return std::nullopt;
    }
    const auto* record = record_of(v);
    const auto free_at = wait_ends(v);
    if (v.local.lsn < record->lsn || is_behind_last_primary(v)) {
        if (v.now >= free_at) {
            return std::nullopt;  // whoever handed over is gone: as after any other silence
        }
        return Plan{.why = fmt::format("handed over at {}, but only {} is here", record->lsn.text(),
                                       v.local.lsn.text()),
                    .wake = v.now + poll};
    }
    auto memory = v.memory;
    memory.decided.handed_over = true;
    return Plan{.why = fmt::format("{} handed over at {}", record->holder_name, record->lsn.text()),
                .actions = {ClaimRecord{}},
                .memory = memory};
}

RuleResult rule::claim_released(const View& v) {
    if (!is_candidate(v) || !ineligible(v).empty() ||
        record_of(v)->state != RecordState::released || v.local.lsn < record_of(v)->lsn ||
        is_behind_last_primary(v) || patroni_led_since(v)) {
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
    if (const auto why = too_far_behind(v); !why.empty()) {
        return Plan{.why = "no claim of what was released: " + why};
    }
    return Plan{.why = fmt::format("{} released at {}, and all of it is here",
                                   record_of(v)->holder_name, record_of(v)->lsn.text()),
                .actions = {ClaimRecord{}}};
}

RuleResult rule::claim_after_wait(const View& v) {
    if (!is_candidate(v) || !ineligible(v).empty()) {
        return std::nullopt;
    }
    const auto free_at = wait_ends(v);
    const auto ask_at = free_at - v.settings.lease.ask_ahead();
    if (v.now < ask_at) {
        return std::nullopt;
    }
    if (!asked_about_this_version(v) ||
        (v.peers.complete && v.now > v.peers.asked + v.settings.lease.answers_last())) {
        return Plan{.why = fmt::format("no sign of {} for {}: how do the others stand?",
                                       record_of(v)->holder_name,
                                       seconds_text(v.now - v.memory.noticed.record_first_seen)),
                    .actions = {AskPeers{.about_revision = v.cluster->record.revision,
                                         .limit = v.settings.lease.answer_within()}},
                    .wake = free_at};
    }
    if (v.now < free_at || !v.peers.complete) {
        return Plan{.why = fmt::format("{} may still lead for {}", record_of(v)->holder_name,
                                       seconds_text(free_at - v.now)),
                    .wake = std::max(free_at, v.now + poll)};
    }
    if (const auto no = veto(v)) {
        auto memory = v.memory;
        memory.noticed.refusal = no->why;
        memory.noticed.refused_until = v.now + ask_again_after;
        if (no->above > 0) {
            memory.noticed.suspected_epoch = no->above;
            memory.noticed.suspect_until = v.now + Nanos(2 * memory.noticed.record_wait);
        }
        return Plan{
            .why = "no claim: " + no->why, .memory = memory, .wake = memory.noticed.refused_until};
    }
    if (const auto why = too_far_behind(v); !accepts_loss(v) && !why.empty()) {
        return Plan{.why = "no claim: " + why};
    }
    const auto better = accepts_loss(v) ? std::nullopt : better_candidate(v);
    auto memory = v.memory;
    const auto voters_first = voter_goes_first(v) && !accepts_loss(v);
    if (voters_first && memory.noticed.gave_way_since.never()) {
        memory.noticed.gave_way_since = v.now;
    }
    if (voters_first && v.now < memory.noticed.gave_way_since + courtesy) {
        return Plan{.why = "a member of the sync set goes first",
                    .memory = memory,
                    .wake = memory.noticed.gave_way_since + courtesy};
    }
    if (better && memory.noticed.gave_way_since.never()) {
        memory.noticed.gave_way_since = v.now;
    }
    if (better && v.now < memory.noticed.gave_way_since + courtesy) {
        return Plan{.why = fmt::format("{} {}: it goes first", better->who->name, better->why),
                    .memory = memory,
                    .wake = memory.noticed.gave_way_since + courtesy};
    }
    const auto loss =
        is_behind_last_primary(v)
            ? fmt::format(
                  "; nobody with its timeline {} is left: what was written there may be lost",
                  record_of(v)->promoted.timeline)
            : "";
    return Plan{.why = fmt::format("{} was not heard of for {}{}", record_of(v)->holder_name,
                                   seconds_text(v.now - v.memory.noticed.record_first_seen), loss),
                .actions = {ClaimRecord{}}};
}

RuleResult rule::stand_by(const View& v) {
    if (!is_candidate(v) || !v.local.following) {
        return std::nullopt;
    }
    const auto ask_at = wait_ends(v) - v.settings.lease.ask_ahead();
    return Plan{.why = fmt::format("a standby that follows {}", v.local.following->name),
                .wake = std::max(ask_at, v.now + poll)};
}

std::vector<std::string> ineligibilities(const View& v) {
    const auto* record = record_of(v);
    const auto& claimers = record->claimers;
    std::vector<std::string> all;
    if (v.settings.pause && !is_handed_to_self(v)) {
        all.emplace_back("the cluster is paused");
    }
    if (record->paused && record->holder != v.self.uuid && !accepts_loss(v)) {
        all.push_back(fmt::format(
            "{} led in a pause and was not heard of since: its PostgreSQL may still take writes. "
            "Start its agent or, when its host is down for good: {}",
            record->holder_name, way_out(v)));
    }
    if (v.settings.standby_cluster) {
        all.emplace_back(standby_cluster_refused);
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
    if (lacks_held_wal(v) && !accepts_loss(v)) {
        all.push_back(fmt::format(
            "it held WAL up to {} of timeline {} and holds less now: it is replaying still, or an "
            "older copy was put here; when nobody else has it: {}",
            v.self.held.lsn.text(), v.self.held.timeline, way_out(v)));
    }
    if (v.local.needs_rewind && !accepts_loss(v)) {
        all.emplace_back("its WAL left the cluster's history");
    }
    if (is_astray(v) && !accepts_loss(v)) {
        all.push_back(
            fmt::format("no primary of this cluster opened its timeline {}: was it promoted "
                        "by hand? `howdah reinit` copies it anew",
                        v.local.timeline));
    }
    if (v.memory.decided.gave_up_epoch == record->epoch && v.now < v.memory.decided.gave_up_until) {
        all.push_back(fmt::format(
            "its claim of epoch {} led nowhere: for {} others may try; if those who hold more are "
            "gone for good: {}",
            record->epoch, seconds_text(v.memory.decided.gave_up_until - v.now), way_out(v)));
    }
    if (const auto& history = v.cluster->history;
        patroni_led_since(v) && !history.empty() && v.local.timeline <= history.back().parent) {
        all.push_back(fmt::format("it is on timeline {}, Patroni led on {}", v.local.timeline,
                                  history.back().parent + 1));
    }
    if (const auto sick = sickness(v.local, v.now); !sick.empty()) {
        all.push_back(sick);
    }
    if (v.now < v.memory.noticed.suspect_until) {
        all.emplace_back("the store may have gone back in time");
    }
    if (lost_sync_set(v) && !accepts_loss(v)) {
        all.push_back(
            fmt::format("the store has lost the sync set of epoch {}: `howdah dcs recover`",
                        v.last_record->epoch));
    }
    if (v.now < v.memory.noticed.refused_until) {
        all.push_back(v.memory.noticed.refusal);
    }
    if (promise_stands(v)) {
        all.push_back(fmt::format("it promised {} not to claim for another {}", record->holder_name,
                                  seconds_text(v.self.promised_until - v.now)));
    }
    if (record->sync.mode != SyncMode::off && record->sync.empty() &&
        record->promoted.uuid != v.self.uuid && !accepts_loss(v)) {
        all.push_back(
            "the last primary waited for no standby, so only it holds every acknowledged commit; "
            "if "
            "it is gone for good: " +
            way_out(v));
    }
    return all;
}

}  // namespace howdah::ha
