#include "ha/term.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.h"

namespace howdah::ha {

Term::Term(Sighting over, LeaseTimes times) : times_(times), base_(std::move(over)) {}

Attempt Term::prepare(Record next, AttachedLease lease, Instant now) {
    next.lease = lease.id;
    auto value = render_after(base_, next);
    unresolved_.push_back(Attempt{.over = base_,
                                  .record = std::move(next),
                                  .value = std::move(value),
                                  .sent = now,
                                  .lease = lease});
    return unresolved_.back();
}

Attempt Term::again(Instant now) const {
    HD_CHECK(!unresolved_.empty());
    auto attempt = unresolved_.back();
    attempt.over = base_;
    attempt.sent = now;
    return attempt;
}

void Term::answered(const Attempt& attempt, Committed answer) {
    if (state_ != State::over) {
        // The same value may have been sent before and have been the one that committed: count from
        // the first.
        auto sent = attempt.sent;
        for (const auto& other : unresolved_) {
            if (other.value == attempt.value && !HD_MUTANT(deadline_from_response)) {
                sent = std::min(sent, other.sent);
            }
        }
        adopt(attempt, sent, answer.revision);
    }
}

void Term::adopt(const Attempt& attempt, Instant sent, std::int64_t revision) {
    const auto bound = attempt.lease.granted + times_.lease_bound(attempt.lease.ttl);
    const auto deadline = std::min(sent + attempt.record.ttl, bound);
    // Every other attempt compared an older version, so none of them can commit any more.
    unresolved_.clear();
    base_ = Sighting{.revision = revision,
                     .value = attempt.value,
                     .leader_revision = revision,
                     .leader = attempt.record.holder_name,
                     .leader_lease = attempt.lease.id,
                     .record = attempt.record};
    tenure_.epoch = attempt.record.epoch;
    tenure_.deadline = std::max(tenure_.deadline, deadline);
    tenure_.record = attempt.record;
    lease_ = attempt.lease;
    went_back_.reset();
    state_ = State::held;
}

void Term::answered(const Attempt& attempt, const Refused& answer) {
    const auto& found = answer.found;
    if (state_ == State::over) {
        return;
    }
    // Somebody deleted the record alone: as a store that lost it (L12), for the key is still ours.
    const auto record_lost =
        found.absent() && found.leader_lease != 0 && found.leader_lease == lease_.id;
    if (found.foreign() && !record_lost) {
        return end(
            fmt::format("the leader key was written by somebody else (\"{}\")", found.leader));
    }
    const auto ours = std::find_if(unresolved_.begin(), unresolved_.end(), [&](const Attempt& a) {
        return a.value == found.value && a.lease.id == found.leader_lease;
    });
    if (ours != unresolved_.end()) {
        const auto earliest = *ours;  // unresolved_ is in order of sending
        return adopt(earliest, earliest.sent, found.revision);
    }
    if (found.same_version(base_)) {
        base_ = found;  // only `leader` went: its lease ran out
        return;
    }
    if (state_ == State::claiming) {
        return end(fmt::format("somebody else wrote the record first (epoch {})",
                               found.record ? found.record->epoch : 0));
    }
    if (!found.record || found.record->epoch < tenure_.epoch ||
        (!tenure_.record.system_id.empty() &&
         found.record->system_id != tenure_.record.system_id)) {
        went_back_ = answer;
        return;  // the store went back: no answer (L12)
    }
    if (found.record->epoch > tenure_.epoch ||
        found.record->incarnation != attempt.record.incarnation) {
        return end(fmt::format("epoch {} of {} took over", found.record->epoch,
                               found.record->holder_name));
    }
    // This term's own version, with its lease gone from the key: go on from it, without more time.
    // What a store that went back within the term has forgotten is written anew.
    base_ = found;
    if (found.record->seq > tenure_.record.seq) {
        tenure_.record = *found.record;
    }
    unresolved_.clear();
}

std::vector<Uuid> Term::promisers() const {
    auto all = tenure_.record.claimers;
    for (const auto& attempt : unresolved_) {
        // Many attempts stand while the store is silent, and nearly all name the same.
        for (const auto& uuid : attempt.record.claimers) {
            if (!HD_MUTANT(set_without_union) && std::ranges::find(all, uuid) == all.end()) {
                all.push_back(uuid);
            }
        }
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    std::erase(all, tenure_.record.holder);
    return all;
}

void Term::promised(const PromiseRound& round, Instant now) {
    if (state_ != State::held || tenure_.record.state != RecordState::primary ||
        now >= tenure_.deadline || !round.complete() || round.request().epoch != tenure_.epoch) {
        return;
    }
    tenure_.deadline = std::max(tenure_.deadline, round.sent() + Nanos(tenure_.record.ttl));
    // Read from one clock, one after the other: equal is after.
    if (went_back_ && round.sent() >= went_back_->received) {
        base_ = went_back_->found;
        went_back_.reset();
    }
}

void Term::end(std::string why) {
    if (state_ != State::over) {
        state_ = State::over;
        why_over_ = std::move(why);
    }
}

std::optional<Tenure> Term::tenure() const {
    if (state_ != State::held) {
        return std::nullopt;
    }
    auto tenure = tenure_;
    tenure.change_unresolved =
        std::any_of(unresolved_.begin(), unresolved_.end(), [&](const Attempt& attempt) {
            return attempt.record.sync != tenure.record.sync ||
                   attempt.record.claimers != tenure.record.claimers;
        });
    tenure.may_be_primary = std::any_of(
        unresolved_.begin(), unresolved_.end(),
        [](const Attempt& attempt) { return attempt.record.state == RecordState::primary; });
    return tenure;
}

}  // namespace howdah::ha
