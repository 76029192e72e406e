#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/agent.h"

// The member's side of the peer lease (safety-model.md, section 10).

namespace howdah::agent {

/// No end is ever stored: a promise of an earlier run counts as given when this one began.
void Agent::recall_promise() {
    const auto stored = parts_.durable.promise();
    if (!stored || (last_record_ && last_record_->epoch > stored->epoch)) {
        return;
    }
    promised_until_ = ha::promised_until(parts_.clock.now(), {.ttl = stored->ttl}, dynamic_.lease);
    promise_ = stored;
}

ha::PromiseAnswer Agent::promise(const ha::PromiseRequest& request) {
    ha::PromiseAnswer answer{.uuid = parts_.identity.uuid,
                             .name = parts_.identity.name,
                             .epoch = request.epoch,
                             .incarnation = request.incarnation,
                             .round = request.round};
    const auto stored = parts_.durable.load();
    const auto writable = local_.role == ha::Role::primary && !local_.tree_dead;
    ha::Promiser self{.stored_epoch = stored.epoch,
                      .stored_incarnation = stored.incarnation,
                      .may_hold = keeping_.tenure || keeping_.claim_unresolved || claiming_ ||
                                  writable || won_initialize_};
    if (const auto& cluster = parts_.feed.current()) {
        self.record = cluster->record.record;
    }
    answer.refused = objection(request, self);
    if (answer.refused.empty()) {
        answer.refused = keep_promise(request, stored);
    }
    answer.promised = answer.refused.empty();
    if (!answer.promised) {
        spdlog::warn("no promise to {} epoch={} why=\"{}\"", request.holder_name, request.epoch,
                     answer.refused);
        return answer;
    }
    if (parts_.clock.now() >= promised_until_) {
        spdlog::info("the store is silent; promised {} not to claim epoch={}", request.holder_name,
                     request.epoch);
    }
    promised_until_ =
        std::max(promised_until_, ha::promised_until(parts_.clock.now(), request, dynamic_.lease));
    promise_set_ = request.set;
    return answer;
}

ha::Vouch Agent::vouch() const {
    const auto now = parts_.clock.now();
    ha::Vouch vouch{.uuid = parts_.identity.uuid};
    const bool primary =
        keeping_.tenure && keeping_.tenure->record.state == ha::RecordState::primary;
    if (primary && !holds_for_certain()) {
        return vouch;
    }
    if (primary) {
        vouch.holds = true;
        vouch.epoch = keeping_.tenure->epoch;
        vouch.incarnation = keeping_.tenure->record.incarnation;
        vouch.set = keeping_.promisers;
        vouch.remaining = std::max(to_millis(keeping_.tenure->deadline - now), Millis{});
    } else if (promise_ && !promise_set_.empty()) {
        vouch.epoch = promise_->epoch;
        vouch.incarnation = promise_->incarnation;
        vouch.set = promise_set_;
        vouch.remaining = std::max(to_millis(promised_until_ - now), Millis{});
    }
    return vouch;
}

/// Durable before the answer. Returns why not.
std::string Agent::keep_promise(const ha::PromiseRequest& request, const Stored& stored) {
    if (request.epoch != stored.epoch || request.incarnation != stored.incarnation) {
        const auto kept = parts_.durable.store(Stored{.epoch = request.epoch,
                                                      .incarnation = request.incarnation,
                                                      .revision = stored.revision});
        if (!kept) {
            return kept.error().message;
        }
    }
    const ha::StoredPromise promise{.epoch = request.epoch,
                                    .incarnation = request.incarnation,
                                    .set_version = request.set_version,
                                    .ttl = request.ttl};
    if (const auto kept = parts_.durable.store_promise(promise); !kept) {
        return kept.error().message;
    }
    promise_ = promise;
    return {};
}

/// Whom the keeper may have to ask when the store falls silent. Members that a store without its
/// data does not show any more are still there.
void Agent::tell_keeper_of_peers() {
    const auto& cluster = parts_.feed.current();
    if (!cluster) {
        return;
    }
    auto known = cluster->members;
    std::copy_if(known_members_.begin(), known_members_.end(), std::back_inserter(known),
                 [&](const ha::Member& m) { return !cluster->member_by_uuid(m.uuid); });
    if (known == known_members_ && told_keeper_ == dynamic_.failsafe_mode) {
        return;
    }
    known_members_ = std::move(known);
    told_keeper_ = dynamic_.failsafe_mode;
    parts_.keeper.know_peers(known_members_, dynamic_.failsafe_mode);
}

}  // namespace howdah::agent
