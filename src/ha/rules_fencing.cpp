#include <fmt/format.h>

#include "ha/rules.h"

namespace howdah::ha {

namespace {

bool may_be_writable(const View& v) {
    return v.local.role == Role::primary && (v.local.postmaster || !v.local.tree_dead);
}

/// An earlier run of this agent left a primary whose fencer is still armed for that run's term.
bool inherited_primary(const View& v) {
    return may_be_writable(v) && !v.local.unfenced && !v.tenure &&
           (is_left_running(v) || (!v.self.armed_until.never() && v.now < v.self.armed_until));
}

}  // namespace

RuleResult rule::take_over(const View& v) {
    if (!inherited_primary(v) || !v.local.postmaster) {
        return std::nullopt;
    }
    if (v.claim_unresolved || !v.cluster) {
        return Plan{.why =
                        "an earlier run of this agent left a primary; its fencer stays armed until "
                        "the store answers",
                    .wake = is_left_running(v) ? Instant{} : v.self.armed_until};
    }
    const auto* record = record_of(v);
    if (record == nullptr || record->holder != v.self.uuid ||
        (record->state != RecordState::primary && !is_left_running(v))) {
        return std::nullopt;
    }
    return Plan{
        .why = fmt::format("an earlier run of this agent led epoch {}, and PostgreSQL still runs",
                           record->epoch),
        .actions = {TakeOver{}}};
}

RuleResult rule::fence_without_term(const View& v) {
    if (!may_be_writable(v) || may_stay_writable(v) || is_left_running(v)) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.decided.checked_epoch =
        0;  // what it wrote may be nobody's history: compared before any start
    return Plan{.why = "a primary without a provable term", .actions = {Fence{}}, .memory = memory};
}

RuleResult rule::stop_before_deadline(const View& v) {
    if (!v.tenure || !may_be_writable(v) || v.local.job.running || is_left_running(v)) {
        return std::nullopt;
    }
    const auto& lease = v.settings.lease;
    const auto last_call = v.tenure->deadline - lease.fence_budget - lease.graceful_budget;
    if (v.now < last_call) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("no renewal was confirmed; the term ends in {}",
                                   seconds_text(v.tenure->deadline - v.now)),
                .actions = {Stop{}},
                .wake = v.tenure->deadline - lease.fence_budget};
}

}  // namespace howdah::ha
