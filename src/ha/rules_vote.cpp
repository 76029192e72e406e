#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.h"
#include "ha/rules.h"

namespace howdah::ha {
namespace {

constexpr Nanos ask_again_after = Millis(400);

const SyncSet& published(const View& v) {
    return v.tenure->record.sync;
}

/// The last primary needs nobody's word outside strict mode: what it acknowledged is in its own
/// WAL. Not when its data directory was replaced since, nor when the store may have gone back.
bool is_last_primary(const View& v) {
    const auto& promoted = v.tenure->record.promoted;
    return promoted.uuid == v.self.uuid && v.self.history_epoch >= promoted.epoch &&
           v.now >= v.memory.suspect_until;
}

bool needs_votes(const View& v) {
    return holds_as(v, RecordState::claimed) && !v.self.won_initialize && !published(v).empty() &&
           !HD_MUTANT(no_seal) && (published(v).strict || !is_last_primary(v));
}

/// A claimer whose PostgreSQL is not writable: a standby, or a former primary that is down.
bool about_to_lead(const View& v) {
    return holds_as(v, RecordState::claimed) && !v.local.job.running &&
           ((v.local.role == Role::standby && v.local.accepting) ||
            (postgres_is_down(v) && v.local.data_dir == DataDir::initialized));
}

int votes_counted(const View& v) {
    return static_cast<int>(
        std::count_if(v.votes.votes.begin(), v.votes.votes.end(), [&](const Vote& vote) {
            return vote.sealed && vote.timeline != 0 && published(v).voter(vote.uuid) != nullptr;
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

RuleResult seal(const View& v) {
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

/// A voter that can never be sealed for this claim.
bool stored_for_another(const Vote& vote, const Tenure& tenure) {
    return vote.stored_epoch > tenure.epoch ||
           (vote.stored_epoch == tenure.epoch && !vote.sealed &&
            vote.stored_incarnation != tenure.record.incarnation);
}

/// Somebody stored a later epoch, or has seen a later set: this claim was made on old knowledge.
RuleResult give_up_outdated_claim(const View& v) {
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

RuleResult yield_to_better(const View& v) {
    if (!needs_votes(v) || !about_to_lead(v) || votes_missing(v)) {
        return std::nullopt;
    }
    const auto* best = best_vote(v);
    if (best == nullptr || best->uuid == v.self.uuid || !ahead(*best, *own_vote(v))) {
        return std::nullopt;
    }
    if (!best->may_lead && v.now < v.votes.asked + ask_again_after) {
        return Plan{
            .why = fmt::format("waiting for {}, which holds more, to be able to lead", best->name),
            .wake = v.votes.asked + ask_again_after};
    }
    if (!best->may_lead) {
        return Plan{.why = fmt::format("{} holds more ({} of epoch {}) but can't lead now",
                                       best->name, best->flushed.text(), best->history_epoch),
                    .actions = {Seal{.epoch = v.tenure->epoch, .voters = published(v).voters}}};
    }
    return Plan{.why = fmt::format("{} holds more: {} of epoch {}, here {} of epoch {}", best->name,
                                   best->flushed.text(), best->history_epoch,
                                   own_vote(v)->flushed.text(), own_vote(v)->history_epoch),
                .actions = {HandOver{.to = best->uuid}}};
}

/// The new primary must wait for the right standbys from its first commit on.
RuleResult prepare_standby_names(const View& v) {
    if (!holds_as(v, RecordState::claimed) || v.local.role != Role::standby || !v.local.accepting ||
        v.local.job.running || votes_missing(v) || published(v).mode == SyncMode::off ||
        v.memory.names_set_for == v.tenure->epoch) {
        return std::nullopt;
    }
    const auto text = render(names_at_promotion(published(v), v.self.uuid));
    auto memory = v.memory;
    memory.names_set_for = v.tenure->epoch;
    return Plan{.why = fmt::format("synchronous_standby_names = '{}' before promotion", text),
                .actions = {SetStandbyNames{.text = text}},
                .memory = memory};
}

}  // namespace

bool votes_missing(const View& v) {
    return needs_votes(v) &&
           (!round_of_this_epoch(v) || !v.votes.complete || own_vote(v) == nullptr ||
            votes_counted(v) < published(v).votes_needed());
}

std::vector<Rule> vote_rules() {
    return {{"give_up_outdated_claim", give_up_outdated_claim},
            {"seal", seal},
            {"yield_to_better", yield_to_better},
            {"prepare_standby_names", prepare_standby_names}};
}

}  // namespace howdah::ha
