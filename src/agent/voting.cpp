#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/agent.h"

// The agent's part in an election: what it has learned of epochs, seals that others ask for, and
// seals that it asks for.

namespace howdah::agent {
namespace {

constexpr Nanos stop_limit = Seconds(2);

}  // namespace

/// Where epochs began is stored before anything is streamed from their primaries: a vote must
/// never rank WAL lower than it is.
io::Task<Result<>> Agent::learn_epochs() {
    const auto& cluster = parts_.feed.current();
    if (!cluster || !cluster->record.record || cluster->record.foreign()) {
        co_return Result<>{};
    }
    recover_.reset();  // there is a record again
    const auto& record = *cluster->record.record;
    const auto differs = [&](const ha::Record& last) {
        return last.epoch != record.epoch || last.set_version != record.set_version ||
               last.sync_version != record.sync_version || last.promoted != record.promoted ||
               last.last_start != record.last_start;
    };
    // What a store shows that went back is no news (L12).
    if (!last_record_ || (differs(*last_record_) && !ha::is_older(record, *last_record_))) {
        HD_CO_TRY_VOID(parts_.durable.keep(record));
        last_record_ = record;
    }
    if (record.last_start.epoch != 0) {
        HD_CO_TRY_VOID(parts_.durable.remember(record.last_start));
    }
    co_return Result<>{};
}

io::Task<> Agent::rank_history() {
    const auto timeline = std::max(local_.timeline, local_.control.timeline);
    const auto epochs = parts_.durable.epochs();
    if (timeline == 0 || local_.data_dir != ha::DataDir::initialized) {
        history_epoch_ = 0;
        ranked_ = {};
        co_return;
    }
    const Ranked now{.timeline = timeline, .epochs = epochs.size(), .system_id = local_.system_id};
    if (ranked_ == now) {
        co_return;
    }
    ranked_ = {};
    const auto history = co_await parts_.instance.timeline_history(timeline);
    if (history) {
        history_ = *history;
        history_epoch_ = ha::last_epoch(epochs, timeline, *history);
        ranked_ = now;
    }
}

io::Task<Result<ha::EpochStart>> Agent::own_epoch_start(pg::Timeline timeline) {
    HD_CO_TRY(const auto history, co_await parts_.instance.timeline_history(timeline));
    const ha::EpochStart start{.epoch = keeping_.tenure ? keeping_.tenure->epoch : 0,
                               .timeline = timeline,
                               .begin = ha::branch_point(history)};
    HD_CO_TRY_VOID(parts_.durable.remember(start));
    co_return start;
}

/// Stops receiving and tells what is here.
io::Task<Result<>> Agent::stand_still(ha::Vote& vote) {
    HD_CO_TRY(const auto end, co_await parts_.instance.stop_receiving(stop_limit));
    local_ = co_await parts_.instance.observe(stop_limit);
    local_.timeline = std::max(local_.timeline, end.timeline);
    co_await rank_history();
    if (ranked_ == Ranked{}) {
        co_return fail(Errc::io, "the history of the data directory can't be read");
    }
    vote.sealed = true;
    vote.history_epoch = history_epoch_;
    vote.timeline = ranked_.timeline;
    vote.history = history_;
    vote.flushed = end.flushed;
    vote.may_lead = standing().may_lead;
    co_return Result<>{};
}

ha::Vote Agent::blank_vote() const {
    const auto stored = parts_.durable.load();
    ha::Vote vote{.uuid = parts_.identity.uuid,
                  .name = parts_.identity.name,
                  .stored_epoch = stored.epoch,
                  .stored_incarnation = stored.incarnation};
    // The store may have lost what this member has seen.
    if (last_record_) {
        vote.sync_version = last_record_->sync_version;
        vote.set_version = last_record_->set_version;
        const auto& cluster = std::as_const(parts_.feed.current());
        if (cluster && cluster->record.absent()) {
            vote.seen = last_record_;
        }
    }
    return vote;
}

/// Why this member can't be sealed for the claimer now; empty when it can.
std::string Agent::objection_to(const ha::SealRequest& request) const {
    const auto stored = parts_.durable.load();
    if (request.epoch < stored.epoch) {
        return "a later epoch is stored here";
    }
    if (request.epoch == stored.epoch && request.incarnation != stored.incarnation) {
        return "this epoch is stored here for another claimer";
    }
    const auto& cluster = parts_.feed.current();
    const auto read_from_store = cluster && cluster->record.record &&
                                 cluster->record.record->epoch == request.epoch &&
                                 cluster->record.record->incarnation == request.incarnation;
    if (promise_ && request.epoch > promise_->epoch && parts_.clock.now() < promised_until_ &&
        !read_from_store) {
        return "a promise to the holder of a lower epoch stands";
    }
    if (keeping_.tenure || keeping_.claim_unresolved) {
        return "this member holds the record, or may";
    }
    if (local_.role == ha::Role::primary && !local_.tree_dead) {
        return "PostgreSQL is not a standby here";
    }
    if (local_.job.running) {
        return "the data directory is being changed";
    }
    // One that has to be rewound may vote: its epoch says how far the common history goes.
    if (local_.data_dir != ha::DataDir::initialized) {
        return "there is no data here";
    }
    return {};
}

io::Task<ha::Vote> Agent::cast_vote(ha::SealRequest request) {
    auto vote = blank_vote();
    vote.refused = objection_to(request);
    if (!vote.refused.empty()) {
        co_return vote;
    }
    const auto kept = parts_.durable.store({.epoch = request.epoch,
                                            .incarnation = request.incarnation,
                                            .revision = parts_.durable.load().revision});
    if (!kept) {
        vote.refused = kept.error().message;
        co_return vote;
    }
    vote.stored_epoch = request.epoch;
    vote.stored_incarnation = request.incarnation;
    if (const auto done = co_await stand_still(vote); !done) {
        vote.refused = done.error().message;
    }
    spdlog::info("sealed for {} epoch={} flushed={} refused=\"{}\"", request.name, request.epoch,
                 vote.flushed.text(), vote.refused);
    co_return vote;
}

io::Task<ha::Vote> Agent::seal(ha::SealRequest request) {
    // Between two cycles, so that no action that was decided on older knowledge follows it.
    auto pending = std::make_shared<PendingSeal>(PendingSeal{
        .request = std::move(request), .answered = io::Bell(parts_.executor, parts_.clock)});
    pending_seals_.push_back(pending);
    bell_.ring();
    const auto until = parts_.clock.now() + Nanos(dynamic_.lease.ttl);
    while (!pending->vote && parts_.clock.now() < until) {
        (void)co_await pending->answered.wait_until(until);
    }
    if (!pending->vote) {
        std::erase(pending_seals_, pending);
        auto vote = blank_vote();
        vote.refused = "busy";
        co_return vote;
    }
    co_return *pending->vote;
}

io::Task<> Agent::answer_seals() {
    while (!pending_seals_.empty()) {
        const auto pending = pending_seals_.front();
        pending_seals_.erase(pending_seals_.begin());
        pending->vote = co_await cast_vote(pending->request);
        pending->answered.ring();
    }
}

io::Task<Result<>> Agent::begin_seal(ha::Seal order) {
    votes_ = {.epoch = order.epoch, .asked = parts_.clock.now()};
    auto own = blank_vote();
    const auto still = co_await stand_still(own);
    if (!still) {
        own.refused = still.error().message;
        spdlog::warn("not sealed here why=\"{}\"", own.refused);
    }
    votes_.votes = {own};
    background_->spawn([this, order] { return collect_votes(order); });
    co_return Result<>{};
}

/// Where the store has lost the record, what any member has seen of it counts: the next question
/// goes to the members that it names.
void Agent::learn_from(const ha::Vote& vote) {
    if (!vote.seen || !last_record_ || vote.seen->system_id != last_record_->system_id ||
        !ha::is_later(*vote.seen, *last_record_)) {
        return;
    }
    if (parts_.durable.keep(*vote.seen)) {
        last_record_ = vote.seen;
    }
}

io::Task<> Agent::collect_votes(ha::Seal order) {
    std::vector<ha::Member> others;
    if (const auto& cluster = parts_.feed.current()) {
        for (const auto& voter : order.voters) {
            const auto* member = cluster->member_by_uuid(voter.uuid);
            if (member != nullptr && voter.uuid != parts_.identity.uuid) {
                others.push_back(*member);
            }
        }
    }
    const ha::SealRequest request{.epoch = order.epoch,
                                  .incarnation = parts_.identity.incarnation,
                                  .uuid = parts_.identity.uuid,
                                  .name = parts_.identity.name};
    auto votes =
        co_await parts_.peers.seal(std::move(others), request, Nanos(dynamic_.lease.ttl) / 2);
    for (const auto& vote : votes) {
        learn_from(vote);
    }
    if (votes_.epoch == order.epoch) {
        std::move(votes.begin(), votes.end(), std::back_inserter(votes_.votes));
        ha::rank(votes_.votes, parts_.durable.epochs());
        votes_.complete = true;
    }
    bell_.ring();
}

}  // namespace howdah::agent
