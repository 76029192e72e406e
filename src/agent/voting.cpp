#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/agent.h"
#include "base/mutant.h"

// The agent's part in an election: what it has learned of epochs, seals that others ask for, and
// seals that it asks for.

namespace howdah::agent {
namespace {

constexpr Nanos stop_limit = Seconds(2);

}  // namespace

/// Members that may lead keep their names although their keys are gone: `--missing` and messages
/// speak of names.
Result<> Agent::learn_names() {
    const auto cluster = std::as_const(parts_.feed).current();
    if (!cluster) {
        return {};
    }
    std::vector<ha::Uuid> needed;
    if (last_record_) {
        needed = last_record_->claimers;
        for (const auto& voter : last_record_->sync.voters) {
            needed.push_back(voter.uuid);
        }
    }
    return parts_.durable.keep_names(ha::learned(parts_.durable.names(), *cluster, needed));
}

/// Where epochs began is stored before anything is streamed from their primaries: a vote must
/// never rank WAL lower than it is.
io::Task<Result<>> Agent::learn_epochs() {
    const auto& cluster = parts_.feed.current();
    HD_CO_TRY_VOID(learn_names());
    // A number once opened, if only by hand and for a moment, may stand in the archive.
    HD_CO_TRY_VOID(parts_.durable.keep_timeline(greatest_timeline()));
    if (!cluster || !cluster->record.record || cluster->record.foreign()) {
        co_return Result<>{};
    }
    recover_.reset();  // there is a record again
    const auto& record = *cluster->record.record;
    const auto differs = [&](const ha::Record& last) {
        return last.epoch != record.epoch || last.set_version != record.set_version ||
               last.sync_version != record.sync_version || last.promoted != record.promoted ||
               last.last_start != record.last_start || last.reserved != record.reserved;
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

/// On disk before PostgreSQL opens that timeline: an agent that is killed before it could tell it
/// finds it there, and must not take it for a promotion by hand (N16).
Result<> Agent::note_opening(pg::Timeline timeline) {
    if (timeline == 0 || !keeping_.tenure) {
        return {};
    }
    HD_TRY_VOID(parts_.durable.keep(keeping_.tenure->record));
    last_record_ = keeping_.tenure->record;
    opening_ = {.epoch = keeping_.tenure->epoch, .timeline = timeline};
    return {};
}

/// What is noted must be the cluster's: a promotion by hand counts for nothing (N16).
void Agent::note_held_wal() {
    const auto now = ha::wal_of(local_);
    const auto leads = local_.role == ha::Role::primary && keeping_.tenure;
    const auto follows =
        local_.role == ha::Role::standby && !place_.left_at && !local_.needs_rewind;
    if (!local_.accepting || now.timeline == 0 || !(leads || follows)) {
        return;
    }
    const auto held = parts_.durable.held_wal();
    // The cluster leads on from an older state, by an operator's will: this copy is of that.
    const auto& cluster = std::as_const(parts_.feed.current());
    const auto led_back = now.timeline < held.timeline && local_.streaming_from_following &&
                          cluster && cluster->record.record &&
                          cluster->record.record->timeline == now.timeline;
    if (now == held || (ha::lacks(now, held) && !led_back && !won_initialize_)) {
        return;
    }
    if (const auto kept = parts_.durable.keep_held_wal(now); !kept) {
        spdlog::warn("it was not noted how much WAL is here why=\"{}\"", kept.error().message);
    }
}

io::Task<> Agent::rank_history() {
    const auto timeline = std::max(local_.timeline, local_.control.timeline);
    auto epochs = parts_.durable.epochs();
    if (timeline == 0 || local_.data_dir != ha::DataDir::initialized) {
        place_ = {};
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
        if (timeline == opening_.timeline) {
            const ha::EpochStart own{
                .epoch = opening_.epoch, .timeline = timeline, .begin = ha::branch_point(*history)};
            if (const auto kept = parts_.durable.remember(own); kept) {
                epochs = parts_.durable.epochs();
            }
        }
        place_ = ha::place_of(epochs, timeline, *history);
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
    const auto ours = last_record_ ? last_record_->system_id : std::string();
    if (!ours.empty() && local_.system_id != ours) {
        co_return fail(Errc::conflict,
                       fmt::format("the data directory is of another cluster: its system "
                                   "identifier is {}, not {}",
                                   local_.system_id, ours));
    }
    const ha::HeldWal here{
        .system_id = local_.system_id, .timeline = local_.timeline, .lsn = end.flushed};
    vote.lacks = ha::lacks(here, parts_.durable.held_wal());
    co_await rank_history();
    if (ranked_ == Ranked{}) {
        co_return fail(Errc::io, "the history of the data directory can't be read");
    }
    vote.sealed = true;
    vote.history_epoch = place_.epoch;
    vote.opened = place_.opened;
    vote.timeline = ranked_.timeline;
    vote.history = history_;
    vote.flushed = end.flushed;
    vote.may_lead = standing().may_lead && !vote.lacks;
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
        vote.seen = lost_record();
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
    const auto shown = cluster && cluster->record.record ? cluster->record.record->epoch : 0;
    if (ha::leaps_too_far(request.epoch, std::max(stored.epoch, shown))) {
        return "this epoch is nobody's";
    }
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
    spdlog::info("sealed for {} epoch={} flushed={} lacks={} refused=\"{}\"", request.name,
                 request.epoch, vote.flushed.text(), vote.lacks, vote.refused);
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
    const auto now = parts_.clock.now();
    const auto again = votes_.epoch == order.epoch && votes_.rounds > 0;
    votes_ = {.epoch = order.epoch,
              .rounds = again ? votes_.rounds + 1 : 1,
              .first_asked = again ? votes_.first_asked : now,
              .asked = now};
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

/// What this member has seen and the store does not show any more.
std::optional<ha::Record> Agent::lost_record() const {
    const auto& cluster = std::as_const(parts_.feed.current());
    const auto lost =
        cluster && last_record_ &&
        (cluster->record.absent() ||
         (cluster->record.record && ha::is_older(*cluster->record.record, *last_record_)));
    return lost ? last_record_ : std::nullopt;
}

/// What any member has seen of a record that the store has lost counts as seen here, for good: the
/// member that told it may be down when this one could claim (N8), and where the store has none,
/// the next question goes to the members that it names.
void Agent::learn(const std::optional<ha::Record>& seen) {
    if (!seen || !last_record_ || seen->system_id != last_record_->system_id ||
        !ha::is_later(*seen, *last_record_) || HD_MUTANT(hearsay_forgotten)) {
        return;
    }
    if (parts_.durable.keep(*seen)) {
        last_record_ = seen;
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
        learn(vote.seen);
    }
    if (votes_.epoch == order.epoch) {
        std::move(votes.begin(), votes.end(), std::back_inserter(votes_.votes));
        ha::rank(votes_.votes, parts_.durable.epochs());
        votes_.complete = true;
    }
    bell_.ring();
}

}  // namespace howdah::agent
