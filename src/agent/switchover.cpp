#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <ranges>

#include "agent/agent.h"
#include "base/timestamp.h"

namespace howdah::agent {
namespace {

/// A schedule that was missed by so many seconds is dropped: nobody expects it any more.
constexpr std::int64_t long_past = 600;

/// Of those that may lead and stream the one with the greatest failover_priority, then with most
/// WAL: before it leads it gets what is missing.
const ha::Member* best_candidate(const ha::Cluster& cluster, const std::string& leader) {
    const auto rank = [](const ha::Member& m) {
        return std::pair(m.tags().failover_priority, m.xlog_location.value_or(0));
    };
    const ha::Member* best = nullptr;
    for (const auto& m : cluster.members) {
        const auto usable = m.name != leader && !m.is_patroni() && !m.tags().nofailover &&
                            m.replication_state == "streaming";
        if (usable && (best == nullptr || rank(m) > rank(*best))) {
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

/// Only what nobody can go on from is removed; a record that a holder renews is none of it.
io::Task<> Agent::remove_damaged_record(ha::RecoverOrder order) {
    const auto seen = std::as_const(parts_.feed.current())->record;
    const auto as_seen = [](const std::string& key, std::int64_t revision) {
        return revision == 0 ? dcs::Compare::absent(key)
                             : dcs::Compare{.key = key,
                                            .field = dcs::Compare::Field::mod_revision,
                                            .revision = revision};
    };
    dcs::Txn txn{.when = {as_seen(prefix_ + "howdah", seen.revision),
                          as_seen(prefix_ + "leader", seen.leader_revision)},
                 .then = {dcs::Delete{prefix_ + "howdah"}, dcs::Delete{prefix_ + "leader"}}};
    const auto done = co_await parts_.store.commit(
        std::move(txn), dcs::Patience{.total = Seconds(5), .hedge = Millis(500)});
    if (!done) {
        spdlog::warn("the damaged leader record was not removed why=\"{}\"", done.error().message);
        co_return;
    }
    spdlog::warn("removed the damaged leader record: \"{}\" leader=\"{}\"", seen.value,
                 seen.leader);
    recover_ = std::move(order);
    recover_asked_ = parts_.clock.now();
    bell_.ring();
}

/// Who may have led by the last record that was seen here, and what each was last called.
ha::MemberNames Agent::names_of_lost_record() const {
    const auto names = parts_.durable.names();
    ha::MemberNames known;
    for (const auto& uuid : last_record_->claimers) {
        known[uuid] = ha::shown(names, uuid);
    }
    for (const auto& voter : last_record_->sync.voters) {
        known[voter.uuid] = voter.name;
    }
    if (!last_record_->holder_name.empty()) {
        known[last_record_->holder] = last_record_->holder_name;
    }
    return known;
}

Answer Agent::recover(ha::RecoverOrder order) {
    if (!parts_.feed.current()) {
        return {.code = 503, .text = "the store has not answered yet"};
    }
    const auto& seen = std::as_const(parts_.feed.current())->record;
    const auto damage = ha::damage_of(seen);
    const auto silent = parts_.clock.now() >= memory_.noticed.wait_ends();
    const auto gone_back = lost_record().has_value() && silent && !keeping_.tenure;
    if (!seen.absent() && damage.empty() && !gone_back) {
        return {.code = 409, .text = "the store has a leader record: nothing is lost"};
    }
    if (const auto read = ha::parse_record(seen.value);
        !seen.absent() && !read && read.error().code == Errc::unsafe) {
        return {.code = 409, .text = read.error().message};
    }
    if (!last_record_) {
        return {.code = 409, .text = "this member never saw a leader record"};
    }
    spdlog::warn("an operator asks to write the lost leader record anew missing=\"{}\"",
                 fmt::join(order.missing, ","));
    const auto known = names_of_lost_record();
    for (const auto& name : order.missing) {
        const auto same = [&](const auto& one) { return name == one.first || name == one.second; };
        if (std::none_of(known.begin(), known.end(), same) &&
            std::as_const(parts_.feed.current())->member(name) == nullptr) {
            return {.code = 409,
                    .text = fmt::format("the last record knows no member {}; those it knows are {}",
                                        name, fmt::join(std::views::values(known), ", "))};
        }
    }
    if (!seen.absent() || !seen.bare()) {
        background_->spawn([this, order] { return remove_damaged_record(order); });
        return {.code = 202, .text = "takes part; removes what is there first"};
    }
    recover_ = std::move(order);
    recover_asked_ = parts_.clock.now();
    bell_.ring();
    return {.code = 202, .text = "takes part"};
}

io::Task<Answer> Agent::switchover(SwitchoverRequest request) {
    const auto verb = request.leader.empty() ? "Failover" : "Switchover";
    const auto failed = Answer{.code = 503, .text = fmt::format("{} failed", verb)};
    if (!parts_.feed.current()) {
        co_return failed;
    }
    const auto nobody_leads =
        !parts_.feed.current()->record.record || parts_.feed.current()->leader_name().empty();
    if (dynamic_.pause && nobody_leads) {
        co_return Answer{.code = 412,
                         .text =
                             "the cluster is paused and nobody leads it: no member takes over "
                             "before `howdah resume`"};
    }
    if (request.accept_loss) {
        co_return co_await lead_with_loss(std::move(request));
    }
    if (keeping_.on_promises) {
        co_return Answer{.code = 503, .text = failed.text + ": DCS is not accessible"};
    }
    if (!request.scheduled_at.empty()) {
        co_return co_await schedule_switchover(std::move(request));
    }
    if (!keeping_.tenure || local_.role != ha::Role::primary) {
        co_return co_await pass_on(std::move(request));
    }
    const auto& self = parts_.identity.name;
    if (!request.leader.empty() && request.leader != self) {
        co_return Answer{.code = 412, .text = "leader name does not match"};
    }
    if (auto doing = busy(); !doing.empty()) {
        co_return Answer{.code = 503, .text = doing + " already in progress"};
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
    if (candidate->name == self) {
        co_return failed;
    }
    if (candidate->tags().nofailover) {
        co_return Answer{.code = 412,
                         .text = fmt::format("switchover is not possible: {} may not lead (its "
                                             "tag nofailover, or failover_priority)",
                                             candidate->name)};
    }
    const auto name = candidate->name;
    const auto epoch = keeping_.tenure->epoch;
    begin_switchover({.candidate = candidate->uuid, .candidate_name = name});
    co_return co_await await_new_leader(std::move(request), name, epoch);
}

/// For when those who may hold more are gone. A holder that may still lead is waited for all the
/// same (P1): nobody claims before W.
io::Task<Answer> Agent::lead_with_loss(SwitchoverRequest request) {
    const auto cluster = *parts_.feed.current();
    if (request.candidate != parts_.identity.name) {
        co_return Answer{.code = 412, .text = "only the candidate itself can be asked"};
    }
    if (!cluster.record.record) {
        co_return Answer{.code = 409,
                         .text = "the store has no leader record: `howdah dcs recover`"};
    }
    const auto& record = *cluster.record.record;
    const auto heard = parts_.clock.now() - memory_.noticed.record_first_seen;
    if (record.state == ha::RecordState::primary && record.holder != parts_.identity.uuid &&
        heard < Nanos(dynamic_.lease.ttl) / 2) {
        co_return Answer{.code = 409,
                         .text = record.holder_name +
                                 " leads and can be asked: switchover, or failover without "
                                 "accepting a loss"};
    }
    loss_accepted_ = ha::LossAccepted{.epoch = record.epoch, .asked = parts_.clock.now()};
    spdlog::warn("an operator accepts the loss of what only others hold epoch={}", record.epoch);
    bell_.ring();
    co_return co_await await_new_leader(std::move(request), parts_.identity.name, record.epoch);
}

/// Another member leads: it finds the request in the store.
io::Task<Answer> Agent::pass_on(SwitchoverRequest request) {
    const auto failed = Answer{
        .code = 503,
        .text = fmt::format("{} failed", request.leader.empty() ? "Failover" : "Switchover")};
    const auto cluster = *parts_.feed.current();
    if (!cluster.record.record || cluster.leader_name().empty()) {
        co_return failed;
    }
    const auto text =
        render(ha::FailoverRequest{.leader = request.leader, .candidate = request.candidate});
    if (const auto written = co_await write_failover(text, std::nullopt); !written) {
        co_return Answer{.code = 503, .text = "failed to write failover key into DCS"};
    }
    auto candidate = request.candidate;
    co_return co_await await_new_leader(std::move(request), std::move(candidate),
                                        cluster.record.record->epoch);
}

/// `candidate` empty: any will do. `epoch`: of the leader before.
io::Task<Answer> Agent::await_new_leader(SwitchoverRequest request, std::string candidate,
                                         ha::Epoch epoch) {
    const bool failover = request.leader.empty();
    const auto* verb = failover ? "Failover" : "Switchover";
    const bool leads = keeping_.tenure.has_value();
    const auto until = parts_.clock.now() + 2 * std::max<Nanos>(Seconds(10), dynamic_.loop_wait);
    while (parts_.clock.now() < until) {
        (void)co_await parts_.clock.until(parts_.clock.now() + Millis(10));
        if (leads && !order_ && !switchover_failure_.empty()) {
            co_return Answer{.code = 503,
                             .text = fmt::format("{} failed: {}", verb, switchover_failure_)};
        }
        const auto& seen = parts_.feed.current()->record;
        if (seen.record && seen.record->epoch > epoch &&
            seen.record->state == ha::RecordState::primary) {
            const auto& now = seen.record->holder_name;
            co_return Answer{.text = candidate.empty() || now == candidate
                                         ? fmt::format("Successfully {} over to \"{}\"",
                                                       failover ? "failed" : "switched", now)
                                         : fmt::format("{} over to \"{}\" instead of \"{}\"",
                                                       failover ? "Failed" : "Switched", now,
                                                       candidate)};
        }
    }
    co_return Answer{.code = 503,
                     .text = fmt::format(
                         "{} status unknown after {} seconds; operation may still be in progress",
                         verb, 2 * std::max<std::int64_t>(10, dynamic_.loop_wait.count()))};
}

io::Task<Answer> Agent::schedule_switchover(SwitchoverRequest request) {
    const auto text = render(ha::FailoverRequest{.leader = request.leader,
                                                 .candidate = request.candidate,
                                                 .scheduled_at = request.scheduled_at});
    const auto written = co_await write_failover(text, std::nullopt);
    co_return written ? Answer{.code = 202, .text = "Switchover scheduled"}
                      : Answer{.code = 503, .text = "failed to write failover key into DCS"};
}

io::Task<Answer> Agent::cancel_switchover() {
    const auto& cluster = parts_.feed.current();
    if (!cluster || std::as_const(cluster)->failover.scheduled_at.empty()) {
        co_return Answer{.code = 404, .text = "no switchover is scheduled"};
    }
    const auto done = co_await write_failover("{}", cluster->failover.revision);
    if (!done) {
        const bool lost = done.error().code == Errc::conflict;
        co_return Answer{.code = lost ? 409 : 503,
                         .text = lost ? "switchover could not be deleted: it has changed"
                                      : "failed to write failover key into DCS"};
    }
    co_return Answer{.text = "scheduled switchover deleted"};
}

io::Task<Result<>> Agent::write_failover(std::string text, std::optional<std::int64_t> seen) {
    const auto key = prefix_ + "failover";
    dcs::Txn txn;
    if (seen) {
        txn.when.push_back(
            dcs::Compare::unchanged(dcs::KeyValue{.key = key, .mod_revision = *seen}));
    }
    txn.then.emplace_back(dcs::Put{.key = key, .value = std::move(text)});
    const auto answer = co_await parts_.store.commit(
        std::move(txn), dcs::Patience{.total = Seconds(5), .hedge = Millis(500)});
    if (!answer) {
        co_return std::unexpected(answer.error());
    }
    co_return answer->succeeded ? Result<>{} : fail(Errc::conflict, "/failover has changed");
}

/// A request that somebody left in `/failover`: patronictl that reached no agent, another member
/// that was asked, or a schedule whose time has come.
void Agent::take_failover_key() {
    const auto& cluster = parts_.feed.current();
    if (!cluster || !keeping_.tenure || order_ || std::as_const(cluster)->failover.empty() ||
        std::as_const(cluster)->failover.revision == handled_failover_) {
        return;
    }
    const auto request = std::as_const(cluster)->failover;
    if (!request.scheduled_at.empty()) {
        const auto when = parse_iso8601(request.scheduled_at);
        const auto now = parts_.clock.wall_nanos() / 1'000'000'000;
        if (when && when->has_zone && now < when->seconds) {
            return;
        }
        if (!when || !when->has_zone || dynamic_.pause || now > when->seconds + long_past) {
            handled_failover_ = request.revision;
            parts_.keeper.carry(prefix_ + "failover", "{}");
            spdlog::warn("scheduled switchover dropped at=\"{}\" paused={}", request.scheduled_at,
                         dynamic_.pause);
            return;
        }
    }
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
