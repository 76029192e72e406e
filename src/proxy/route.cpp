#include "proxy/route.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/mutant.h"
#include "ha/settings.h"

namespace howdah::proxy {
namespace {

constexpr std::size_t max_in_flight = 64;

std::string_view word(ha::RecordState state) {
    switch (state) {
        case ha::RecordState::claimed:
            return "claimed, not yet primary";
        case ha::RecordState::primary:
            return "primary";
        case ha::RecordState::handover:
            return "being handed over";
        case ha::RecordState::released:
            return "released";
    }
    return "unknown";
}

// Within a term the state only moves forward: claimed, primary, then handover or released.
auto version(const ha::Record& r) {
    return std::tuple(r.epoch, r.seq, r.state);
}

ha::LeaseTimes times(const std::optional<ha::Record>& record) {
    ha::LeaseTimes lease;
    if (record && record->ttl > Millis{}) {
        lease.ttl = record->ttl;
    }
    return lease;
}

}  // namespace

RouteGate::Attempt RouteGate::begin_attempt(Instant now) {
    if (in_flight_.size() == max_in_flight) {
        in_flight_.pop_front();
    }
    in_flight_.push_back({.number = next_, .at = now});
    return next_++;
}

std::optional<Instant> RouteGate::take(Attempt attempt) {
    while (!in_flight_.empty() && in_flight_.front().number < attempt) {
        in_flight_.pop_front();
    }
    if (in_flight_.empty() || in_flight_.front().number != attempt) {
        return std::nullopt;
    }
    const auto at = in_flight_.front().at;
    in_flight_.pop_front();
    return at;
}

void RouteGate::answer(Attempt attempt, const Seen& seen) {
    const auto sent = take(attempt);
    if (!sent) {
        hint(seen);
        return;
    }
    last_revision_ = seen.store_revision;
    use(*sent, seen);
}

void RouteGate::use(Instant sent, const Seen& seen) {
    const auto& sighting = seen.record;
    if (sighting.foreign()) {
        close_foreign(sighting);
    } else {
        foreign_leader_.clear();
    }
    if (sighting.absent()) {
        last_sent_ = sent;
        return;
    }
    if (!sighting.record) {
        return;
    }
    const auto& record = *sighting.record;
    notice(record);
    const bool first_sight = !attested_ || version(record) > version(*attested_);
    if (first_sight && !sighting.intact()) {
        return;  // it saw this version, so it must not count as the attempt that saw an older one
    }
    if (first_sight) {
        attested_ = record;
        const bool superseded = newest_->epoch != record.epoch ||
                                newest_->state != ha::RecordState::primary ||
                                disputed_epoch_ == record.epoch;
        const auto proved = last_sent_ && (lost_.epoch != record.epoch || *last_sent_ >= lost_.at);
        if (record.state == ha::RecordState::primary && !superseded && proved &&
            record.ttl > Millis{}) {
            vouched_ = Vouched{.record = record, .deadline = renewed_until(record)};
        }
    }
    last_sent_ = sent;
}

/// Within an epoch a deadline never goes back: members may have vouched for more than the first
/// renewal after a silence proves. Not so one from before a doubt: the clock may have hidden time.
Instant RouteGate::renewed_until(const ha::Record& record) const {
    const auto proved = *last_sent_ + record.ttl;
    const bool goes_on = vouched_ && !vouched_->doubted && vouched_->record.epoch == record.epoch;
    return goes_on ? std::max(vouched_->deadline, proved) : proved;
}

void RouteGate::hint(const Seen& seen) {
    const auto& sighting = seen.record;
    // A batch of events cut in two shows `howdah` newer than `leader` for a moment: not foreign
    // yet.
    const bool news = seen.store_revision > last_revision_;
    if (news && sighting.foreign() && sighting.leader_revision > sighting.revision) {
        close_foreign(sighting);
    }
    if (sighting.record) {
        notice(*sighting.record);
    }
}

void RouteGate::notice(const ha::Record& record) {
    if (newest_ && newest_->epoch == record.epoch && newest_->incarnation != record.incarnation) {
        disputed_epoch_ = record.epoch;
    }
    if (!newest_ || version(record) > version(*newest_)) {
        newest_ = record;
    }
    if (vouched_ &&
        (newest_->epoch != vouched_->record.epoch || newest_->state != ha::RecordState::primary ||
         disputed_epoch_ == vouched_->record.epoch)) {
        vouched_.reset();
    }
}

void RouteGate::close_foreign(const ha::Sighting& record) {
    foreign_leader_ = record.leader;
    vouched_.reset();
}

std::optional<ha::Record> RouteGate::resting_on() const {
    return vouched_ ? std::optional(vouched_->record) : std::nullopt;
}

void RouteGate::vouch(Instant sent, const std::vector<ha::Vouch>& answers) {
    if (!vouched_ || sent < doubted_at_ ||
        (lost_.epoch == vouched_->record.epoch && sent < lost_.at)) {
        return;
    }
    const auto left = ha::vouched_for(answers, vouched_->record, times(newest_).clock_rate_bound);
    if (left) {
        const auto proved = sent + *left;
        vouched_->deadline = vouched_->doubted ? proved : std::max(vouched_->deadline, proved);
        vouched_->doubted = false;
    }
}

void RouteGate::lost(const ha::Uuid& member, ha::Epoch epoch, Instant now) {
    if (vouched_ && vouched_->record.holder == member && vouched_->record.epoch == epoch) {
        lost_ = {.epoch = epoch, .at = now};
        vouched_->doubted = true;
    }
}

void RouteGate::doubt(Instant now) {
    doubted_at_ = now;
    in_flight_.clear();
    last_sent_.reset();
    if (vouched_) {
        vouched_->doubted = true;
    }
}

std::string RouteGate::why_not_vouched() const {
    if (!foreign_leader_.empty()) {
        return fmt::format("the leader key names {} without a record", foreign_leader_);
    }
    if (!newest_) {
        return "no record of a primary has been seen";
    }
    if (disputed_epoch_ == newest_->epoch) {
        return fmt::format("two incarnations were seen in epoch {}", newest_->epoch);
    }
    if (newest_->state != ha::RecordState::primary) {
        return fmt::format("epoch {} of {} is {}", newest_->epoch, newest_->holder_name,
                           word(newest_->state));
    }
    return fmt::format("epoch {} of {} has not been seen to renew yet", newest_->epoch,
                       newest_->holder_name);
}

Route RouteGate::route(Instant now) const {
    if (!vouched_) {
        return {.why = why_not_vouched()};
    }
    const auto& record = vouched_->record;
    Route route{.open = now < vouched_->deadline || HD_MUTANT(endpoint_without_deadline),
                .member = record.holder,
                .member_name = record.holder_name,
                .incarnation = record.incarnation,
                .epoch = record.epoch,
                .timeline = record.timeline,
                .system_id = record.system_id,
                .deadline = vouched_->deadline,
                .doubted = vouched_->doubted};
    if (!route.open) {
        route.why =
            fmt::format("epoch {} of {} was last seen to renew (seq {}) more than {} ms ago",
                        record.epoch, record.holder_name, record.seq, record.ttl.count());
    }
    return route;
}

Millis RouteGate::attempt_every() const {
    return times(newest_).renew_every();
}
Millis RouteGate::hedge_after() const {
    return times(newest_).hedge_after();
}

}  // namespace howdah::proxy
