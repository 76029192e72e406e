#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.h"
#include "ha/rules.h"

namespace howdah::ha {

namespace {

constexpr Nanos ask_again_after = Millis(400);
/// A claim without its votes is given up after so many rounds or so long (N4),
constexpr int rounds_at_most = 3;
constexpr Nanos votes_within = Seconds(2);
/// and any that has not led to a promotion after this.
constexpr Nanos promotion_within = Seconds(20);
/// So long a claimer streams from the voter that holds more and can't lead.
constexpr Nanos fetch_within = Seconds(1);
constexpr Millis poll_wal{50};

const SyncSet& published(const View& v) {
    return v.tenure->record.sync;
}

/// The last primary needs nobody's word outside strict mode: what it acknowledged is in its own
/// WAL. Not when its data directory was replaced since, nor when the store may have gone back.
bool is_last_primary(const View& v) {
    const auto& promoted = v.tenure->record.promoted;
    return promoted.uuid == v.self.uuid && v.self.history_epoch >= promoted.epoch &&
           !lacks_held_wal(v) && v.now >= v.memory.noticed.suspect_until && !patroni_led_since(v);
}

bool needs_votes(const View& v) {
    return holds_as(v, RecordState::claimed) && !v.self.won_initialize && !published(v).empty() &&
           !HD_MUTANT(no_seal) && !accepts_loss(v) && (published(v).strict || !is_last_primary(v));
}

/// A claimer whose PostgreSQL is not writable: a standby, or a former primary that is down.
bool about_to_lead(const View& v) {
    return holds_as(v, RecordState::claimed) && !v.local.job.running &&
           ((v.local.role == Role::standby && v.local.accepting) ||
            (postgres_is_down(v) && v.local.data_dir == DataDir::initialized));
}

/// A voter that has lost WAL says nothing of what it acknowledged. The last primary holds all of
/// that, and needs the voter's seal only.
int votes_counted(const View& v) {
    const auto whole = is_last_primary(v);
    return static_cast<int>(
        std::count_if(v.votes.votes.begin(), v.votes.votes.end(), [&](const Vote& vote) {
            return vote.sealed && vote.timeline != 0 && (whole || !vote.lacks) &&
                   published(v).voter(vote.uuid) != nullptr;
        }));
}

bool round_of_this_epoch(const View& v) {
    return v.tenure && v.votes.epoch == v.tenure->epoch && !v.votes.asked.never();
}

const Vote* own_vote(const View& v) {
    const auto& all = v.votes.votes;
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Vote& vote) { return vote.uuid == v.self.uuid; });
    return found == all.end() || !found->sealed ? nullptr : &*found;
}

const Vote* best_vote(const View& v) {
    const Vote* best = own_vote(v);
    for (const auto& vote : v.votes.votes) {
        if (vote.sealed && (best == nullptr || ahead(vote, *best))) {
            best = &vote;
        }
    }
    return best;
}

}  // namespace

RuleResult rule::seal(const View& v) {
    if (!needs_votes(v) || !about_to_lead(v)) {
        return std::nullopt;
    }
    if (round_of_this_epoch(v) && !v.votes.complete) {
        return Plan{.why = fmt::format("sealing: waiting for {} votes of {}",
                                       published(v).votes_needed(), published(v).voters.size())};
    }
    if (round_of_this_epoch(v) && votes_counted(v) >= published(v).votes_needed() &&
        own_vote(v) != nullptr) {
        return std::nullopt;
    }
    if (round_of_this_epoch(v) && v.now < v.votes.asked + ask_again_after) {
        return Plan{.why = fmt::format("{} of {} needed votes: not promoting, an acknowledged "
                                       "commit could be missing here",
                                       votes_counted(v), published(v).votes_needed()),
                    .wake = v.votes.asked + ask_again_after};
    }
    return Plan{.why = fmt::format("sealing epoch {} at the {} members of the sync set",
                                   v.tenure->epoch, published(v).voters.size()),
                .actions = {Seal{.epoch = v.tenure->epoch, .voters = published(v).voters}}};
}

namespace {

/// A voter that can never be sealed for this claim.
bool stored_for_another(const Vote& vote, const Tenure& tenure) {
    return vote.stored_epoch > tenure.epoch ||
           (vote.stored_epoch == tenure.epoch && !vote.sealed &&
            vote.stored_incarnation != tenure.record.incarnation);
}

}  // namespace

/// Somebody stored a later epoch, or has seen a later set: this claim was made on old knowledge.
RuleResult rule::give_up_outdated_claim(const View& v) {
    if (!needs_votes(v) || !about_to_lead(v) || !round_of_this_epoch(v) || !v.votes.complete) {
        return std::nullopt;
    }
    const auto& record = v.tenure->record;
    for (const auto& vote : v.votes.votes) {
        if (stored_for_another(vote, *v.tenure) || vote.sync_version > record.sync_version ||
            vote.set_version > record.set_version) {
            return Plan{.why = fmt::format("{} knows another claim of this epoch, a later one, or "
                                           "a later set: giving this claim up",
                                           vote.name),
                        .actions = {Release{.lsn = v.local.lsn}}};
        }
    }
    return std::nullopt;
}

/// Another may find the votes that this claimer does not, or the voter that holds most may lead
/// meanwhile: nobody holds the record for nothing.
RuleResult rule::give_up_fruitless_claim(const View& v) {
    if (!about_to_lead(v) || HD_MUTANT(claim_never_given_up)) {
        return std::nullopt;
    }
    const auto asked_enough =
        votes_missing(v) && round_of_this_epoch(v) && v.votes.complete &&
        v.now >= v.votes.asked + ask_again_after &&
        (v.votes.rounds >= rounds_at_most || v.now >= v.votes.first_asked + votes_within);
    if (!asked_enough && v.now < v.memory.noticed.claimed_at + promotion_within) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.decided.gave_up_epoch = v.tenure->epoch;
    memory.decided.gave_up_until = v.now + 2 * v.settings.lease.candidate_wait();
    return Plan{.why = fmt::format(
                    "{} votes of {} after {} rounds: giving the claim up, others may "
                    "try; if the voters are gone for good: {}",
                    votes_counted(v), published(v).votes_needed(), v.votes.rounds, way_out(v)),
                .actions = {Release{}},
                .memory = memory};
}

/// A server that runs and can't be asked may be writable, and nobody can lead on it: it is ended,
/// so that others may try (N3, N19).
RuleResult rule::give_up_unanswering_server(const View& v) {
    if (!holds_as(v, RecordState::claimed) || v.self.won_initialize || !v.local.postmaster ||
        v.local.accepting || v.local.job.running ||
        v.now < v.memory.noticed.claimed_at + promotion_within) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.decided.gave_up_epoch = v.tenure->epoch;
    memory.decided.gave_up_until = v.now + 2 * v.settings.lease.candidate_wait();
    return Plan{
        .why = fmt::format("PostgreSQL does not answer this agent for {}: {}",
                           seconds_text(v.now - v.memory.noticed.claimed_at), v.local.no_answer),
        .actions = {Fence{}},
        .memory = memory};
}

namespace {

/// What the better voter holds comes here, so that its WAL leads on though it can't.
RuleResult fetch_from(const View& v, const Vote& best) {
    const auto* member = v.cluster ? v.cluster->member_by_uuid(best.uuid) : nullptr;
    const auto from = member != nullptr ? upstream_at(*member) : std::nullopt;
    const auto why = fmt::format("{} holds more ({} of epoch {}) but can't lead now", best.name,
                                 best.flushed.text(), best.history_epoch);
    if (from && v.local.postmaster && v.local.following != from &&
        v.now < v.votes.asked + fetch_within) {
        return Plan{.why = why + ": fetching it", .actions = {Follow{from}}};
    }
    if (v.local.lsn < best.flushed && v.now < v.votes.asked + fetch_within) {
        return Plan{.why = why + ": fetching it", .wake = v.now + poll_wal};
    }
    return Plan{.why = why,
                .actions = {Seal{.epoch = v.tenure->epoch, .voters = published(v).voters}}};
}

}  // namespace

RuleResult rule::yield_to_better(const View& v) {
    if (!needs_votes(v) || !about_to_lead(v) || votes_missing(v)) {
        return std::nullopt;
    }
    const auto* best = best_vote(v);
    if (best == nullptr || best->uuid == v.self.uuid || !ahead(*best, *own_vote(v))) {
        return std::nullopt;
    }
    if (!best->may_lead) {
        return fetch_from(v, *best);
    }
    return Plan{.why = fmt::format("{} holds more: {} of epoch {}, here {} of epoch {}", best->name,
                                   best->flushed.text(), best->history_epoch,
                                   own_vote(v)->flushed.text(), own_vote(v)->history_epoch),
                .actions = {HandOver{.to = best->uuid}}};
}

/// The new primary must wait for the right standbys from its first commit on, and with synchronous
/// mode off for none that an earlier role left (N6).
RuleResult rule::prepare_standby_names(const View& v) {
    if (!holds_as(v, RecordState::claimed) || v.local.role != Role::standby || !v.local.accepting ||
        v.local.job.running || votes_missing(v) ||
        v.memory.decided.names_set_for == v.tenure->epoch) {
        return std::nullopt;
    }
    if (published(v).mode == SyncMode::off) {
        return v.local.kept_standby_names && !HD_MUTANT(names_of_an_earlier_role)
                   ? std::optional(Plan{.why = "synchronous mode is off: no standby names",
                                        .actions = {SetStandbyNames{}}})
                   : std::nullopt;
    }
    const auto text = render(names_at_promotion(published(v), v.self.uuid));
    auto memory = v.memory;
    memory.decided.names_set_for = v.tenure->epoch;
    return Plan{.why = fmt::format("synchronous_standby_names = '{}' before promotion", text),
                .actions = {SetStandbyNames{.text = text}},
                .memory = memory};
}

bool votes_missing(const View& v) {
    return needs_votes(v) &&
           (!round_of_this_epoch(v) || !v.votes.complete || own_vote(v) == nullptr ||
            votes_counted(v) < published(v).votes_needed());
}

}  // namespace howdah::ha
