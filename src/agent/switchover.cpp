#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/agent.h"

namespace howdah::agent {
namespace {

/// The member that has most WAL among those that may lead.
const ha::Member* best_candidate(const ha::Cluster& cluster, const std::string& leader) {
    const ha::Member* best = nullptr;
    for (const auto& m : cluster.members) {
        const auto usable =
            m.name != leader && !m.is_patroni() && m.replication_state == "streaming";
        if (usable &&
            (best == nullptr || m.xlog_location.value_or(0) > best->xlog_location.value_or(0))) {
            best = &m;
        }
    }
    return best;
}

}  // namespace

void Agent::begin_switchover(ha::SwitchoverOrder order) {
    order.asked = parts_.clock.now();
    switchover_failure_.clear();
    peers_ = {};
    spdlog::info("switchover asked for candidate={}", order.candidate_name);
    order_ = std::move(order);
    bell_.ring();
}

Answer Agent::recover(ha::RecoverOrder order) {
    const auto& cluster = parts_.feed.current();
    if (!cluster) {
        return {.code = 503, .text = "the store has not answered yet"};
    }
    if (!std::as_const(cluster)->record.absent()) {
        return {.code = 409, .text = "the store has a leader record: nothing is lost"};
    }
    if (!last_record_) {
        return {.code = 409, .text = "this member never saw a leader record"};
    }
    spdlog::warn("an operator asks to write the lost leader record anew missing=\"{}\"",
                 fmt::join(order.missing, ","));
    recover_ = std::move(order);
    bell_.ring();
    return {.code = 202, .text = "takes part"};
}

io::Task<Answer> Agent::switchover(SwitchoverRequest request) {
    const auto& self = parts_.identity.name;
    if (!keeping_.tenure || local_.role != ha::Role::primary || !parts_.feed.current()) {
        co_return Answer{.code = 503, .text = "Switchover failed"};
    }
    if (keeping_.on_promises) {
        co_return Answer{.code = 503, .text = "Switchover failed: DCS is not accessible"};
    }
    if (!request.leader.empty() && request.leader != self) {
        co_return Answer{.code = 412, .text = "leader name does not match"};
    }
    if (order_) {
        co_return Answer{.code = 503, .text = "switchover already in progress"};
    }
    const auto cluster = *parts_.feed.current();
    const auto* candidate = request.candidate.empty() ? best_candidate(cluster, self)
                                                      : cluster.member(request.candidate);
    if (candidate == nullptr) {
        co_return Answer{
            .code = 412,
            .text = request.candidate.empty()
                        ? "switchover is not possible: no good candidates have been found"
                        : "candidate does not exists"};
    }
    const auto name = candidate->name;
    const auto epoch = keeping_.tenure->epoch;
    begin_switchover({.candidate = candidate->uuid, .candidate_name = name});
    const auto until = parts_.clock.now() + 2 * std::max<Nanos>(Seconds(10), dynamic_.loop_wait);
    while (parts_.clock.now() < until) {
        (void)co_await parts_.clock.until(parts_.clock.now() + Millis(10));
        if (!order_ && !switchover_failure_.empty()) {
            co_return Answer{.code = 503, .text = "Switchover failed: " + switchover_failure_};
        }
        const auto& seen = parts_.feed.current()->record;
        if (seen.record && seen.record->epoch > epoch &&
            seen.record->state == ha::RecordState::primary) {
            const auto& now = seen.record->holder_name;
            co_return Answer{
                .text = now == name
                            ? fmt::format("Successfully switched over to \"{}\"", now)
                            : fmt::format("Switched over to \"{}\" instead of \"{}\"", now, name)};
        }
    }
    co_return Answer{
        .code = 503,
        .text = fmt::format(
            "Switchover status unknown after {} seconds; operation may still be in progress",
            2 * std::max<std::int64_t>(10, dynamic_.loop_wait.count()))};
}

/// A request that patronictl left in `/failover` because it reached no agent.
void Agent::take_failover_key() {
    const auto& cluster = parts_.feed.current();
    if (!cluster || !keeping_.tenure || order_ || cluster->failover.empty() ||
        cluster->failover.revision == handled_failover_ ||
        !cluster->failover.scheduled_at.empty()) {
        return;
    }
    const auto request = cluster->failover;
    handled_failover_ = request.revision;
    parts_.keeper.carry(prefix_ + "failover", "{}");
    const auto ours = request.leader.empty() || request.leader == parts_.identity.name;
    const auto* candidate = request.candidate.empty()
                                ? best_candidate(*cluster, parts_.identity.name)
                                : cluster->member(request.candidate);
    if (!ours || candidate == nullptr || candidate->name == parts_.identity.name ||
        candidate->is_patroni()) {
        spdlog::warn("failover key not heeded leader=\"{}\" candidate=\"{}\"", request.leader,
                     request.candidate);
        return;
    }
    begin_switchover({.candidate = candidate->uuid, .candidate_name = candidate->name});
}

}  // namespace howdah::agent
