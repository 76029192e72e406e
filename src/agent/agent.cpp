#include "agent/agent.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/mutant.h"
#include "ha/explain.h"
#include "ha/sickness.h"

namespace howdah::agent {
namespace {

/// Decide again after this long without an event.
constexpr Nanos tick = Seconds(1);
constexpr Nanos observe_limit = Seconds(2);

}  // namespace

Agent::Agent(Parts parts)
    : parts_(std::move(parts)),
      prefix_(parts_.config.prefix()),
      bell_(parts_.executor, parts_.clock),
      background_(std::make_unique<io::Scope>(parts_.executor)),
      last_record_(parts_.durable.last_record()) {}

Agent::~Agent() = default;

io::Task<Result<>> Agent::run() {
    parts_.instance.on_change([this] { bell_.ring(); });
    parts_.feed.on_change([this] { bell_.ring(); });
    if (auto adopted = co_await parts_.instance.adopt(); !adopted) {
        co_return std::unexpected(std::move(adopted).error());
    }
    background_->spawn([this] { return keep_member_lease(); });
    recall_promise();
    while (!halted_ && !stopping_) {
        co_await cycle();
        (void)co_await bell_.wait_until(next_cycle_);
    }
    if (halted_) {
        co_return std::unexpected(*halted_);
    }
    co_return Result<>{};
}

io::Task<> Agent::close() {
    return background_->close();
}

void Agent::heed(Keeping keeping) {
    const auto had = keeping_.tenure.has_value();
    const auto changed =
        had != keeping.tenure.has_value() || keeping_.claim_unresolved != keeping.claim_unresolved;
    keeping_ = std::move(keeping);
    if (changed) {
        bell_.ring();
    }
}

io::Task<> Agent::cycle() {
    take_configuration();
    local_ = co_await parts_.instance.observe(observe_limit);
    if (HD_MUTANT(release_before_reap) && !local_.postmaster) {
        local_.tree_dead = true;
        local_.final_lsn = local_.lsn;
    }
    local_.watchdog_trouble = parts_.watchdog.trouble();
    const bool may_write = local_.role == ha::Role::primary && !local_.tree_dead;
    if (!keeping_.tenure && !keeping_.claim_unresolved && !claiming_ && !may_write) {
        parts_.watchdog.stop();
    }
    co_await configure_instance();
    take_failover_key();
    take_scheduled_restart();
    if (race_unresolved_) {
        (void)co_await race_initialize();
    }
    co_await answer_seals();
    if (auto learned = co_await learn_epochs(); !learned) {
        spdlog::error("nothing is done now: {}", learned.error().message);
        next_cycle_ = parts_.clock.now() + tick;
        co_return;
    }
    co_await rank_history();
    tell_keeper_of_peers();
    const auto view = look();
    const auto plan = ha::decide(view);
    if (watch_plan_) {
        watch_plan_(view, plan);
    }
    log_plan(plan);
    // What a failed action would have led to must not be remembered; what was merely noticed may
    // be.
    const auto done = co_await act(plan);
    if (done) {
        memory_ = plan.memory.value_or(memory_);
    } else {
        spdlog::warn("step failed rule={} why=\"{}\"", plan.rule, done.error().message);
        const auto noticed = plan.memory.value_or(memory_);
        memory_.record_revision = noticed.record_revision;
        memory_.record_value = noticed.record_value;
        memory_.record_first_seen = noticed.record_first_seen;
        memory_.record_wait = noticed.record_wait;
        memory_.checked_at = noticed.checked_at;
        memory_.writable_epoch = noticed.writable_epoch;
        memory_.writable_lsn = noticed.writable_lsn;
        memory_.writable_at = noticed.writable_at;
        memory_.barrier_names = noticed.barrier_names;
        memory_.barrier_lsn = noticed.barrier_lsn;
    }
    reinitializing_ =
        reinitializing_ && (standby_order_ || local_.job.running || !local_.accepting);
    co_await keep_house();
    const auto now = parts_.clock.now();
    next_cycle_ = now + tick;
    if (!plan.wake.never() && plan.wake < next_cycle_) {
        next_cycle_ = std::max(plan.wake, now + Millis(5));
    }
}

ha::View Agent::look() const {
    const auto now = parts_.clock.now();
    const auto stored = parts_.durable.load();
    ha::View view{.now = now, .local = local_, .peers = peers_, .order = order_, .memory = memory_};
    view.settings = {.lease = dynamic_.lease,
                     .maximum_lag_on_failover = dynamic_.maximum_lag_on_failover,
                     .pause = dynamic_.pause,
                     .sync_mode = dynamic_.synchronous_mode,
                     .sync_strict = dynamic_.synchronous_mode_strict,
                     .sync_node_count = dynamic_.synchronous_node_count,
                     .failsafe = dynamic_.failsafe_mode,
                     .maximum_lag_on_syncnode = dynamic_.maximum_lag_on_syncnode};
    view.self = {.uuid = parts_.identity.uuid,
                 .name = parts_.identity.name,
                 .nofailover = parts_.config.nofailover,
                 .can_bootstrap = parts_.config.bootstrap && member_lease_ != 0,
                 .stored_epoch = stored.epoch,
                 .won_initialize = won_initialize_,
                 .armed_until = parts_.deadlines.armed(),
                 .promised_until = promised_until_,
                 .history_epoch = history_epoch_};
    view.votes = votes_;
    view.standby_order = standby_order_;
    view.recover = recover_;
    view.confirmed_names = confirmed_names_;
    view.tenure = keeping_.tenure;
    view.claim_unresolved = keeping_.claim_unresolved;
    view.on_promises = keeping_.on_promises;
    view.cluster = parts_.feed.current();
    if (HD_MUTANT(trust_in_the_name) && view.cluster && view.cluster->record.record &&
        view.cluster->record.leader == view.self.name) {
        const auto& named = *view.cluster->record.record;
        view.tenure = {.epoch = named.epoch, .deadline = now + named.ttl, .record = named};
    }
    view.record_seen = parts_.feed.record_seen();
    if (view.cluster && last_record_) {
        const auto& seen = std::as_const(view.cluster)->record;
        if (seen.absent() || (seen.record && ha::is_older(*seen.record, *last_record_))) {
            view.last_record = last_record_;
        }
    }
    view.cluster_fresh = now < parts_.feed.last_answer() + Nanos(dynamic_.lease.ttl);
    return view;
}

/// `/config` where there is one, else `bootstrap.dcs`.
void Agent::take_configuration() {
    const auto& cluster = parts_.feed.current();
    const auto there = cluster && !std::as_const(cluster)->config_json.empty();
    if (!there && configuration_seen_) {
        return;  // the store lost it; what counted goes on to count
    }
    configuration_seen_ = configuration_seen_ || there;
    auto text = there                     ? cluster->config_json
                : parts_.config.bootstrap ? parts_.config.bootstrap->dcs_json
                                          : std::string();
    if (text == dynamic_text_ && !dynamic_text_.empty()) {
        return;
    }
    auto parsed = config::read_dynamic_config(text.empty() ? "{}" : text);
    if (parsed) {
        dynamic_ = std::move(parsed->config);
        for (const auto& wrong : parsed->wrong) {
            spdlog::warn("configuration: {}; it is read past", wrong);
        }
    } else {
        spdlog::error("configuration not taken why=\"{}\" hint=\"{}\"", parsed.error().message,
                      parsed.error().hint);
    }
    dynamic_text_ = std::move(text);
}

io::Task<> Agent::configure_instance() {
    const auto key = fmt::format("{}/{}", local_.server_version, dynamic_text_);
    if (key == configured_for_) {
        co_return;
    }
    const auto major =
        local_.server_version >= 10000 ? local_.server_version / 10000 : local_.server_version;
    auto effective = config::effective_postgresql(parts_.config, dynamic_, major);
    if (!effective) {
        spdlog::error("settings not taken why=\"{}\"", effective.error().message);
        co_return;
    }
    for (const auto& warning : effective->warnings) {
        spdlog::warn("settings: {}", warning);
    }
    configured_for_ = key;
    if (auto done = co_await parts_.instance.configure(*std::move(effective)); !done) {
        spdlog::error("settings not written why=\"{}\"", done.error().message);
        configured_for_.clear();
    }
}

void Agent::log_plan(const ha::Plan& plan) {
    if (plan.rule != last_rule_) {
        spdlog::info("{} rule={} epoch={}", plan.why, plan.rule,
                     keeping_.tenure ? keeping_.tenure->epoch : 0);
    } else if (plan.why != last_why_) {
        spdlog::debug("{} rule={}", plan.why, plan.rule);
    }
    last_rule_ = plan.rule;
    last_why_ = plan.why;
}

Status Agent::status() const {
    const auto now = parts_.clock.now();
    const auto wall = parts_.clock.wall_nanos() / 1'000'000'000;
    const auto& tenure = keeping_.tenure;
    Status s{.scope = parts_.config.scope,
             .name = parts_.identity.name,
             .member_uuid = parts_.identity.uuid};
    s.cluster = parts_.feed.current().value_or(ha::Cluster{});
    s.local = local_;
    s.local.state = shown_state();
    s.scheduled_restart_json = scheduled_restart_json();
    s.holds_leader = holds_for_certain();
    s.epoch = tenure ? tenure->epoch : s.cluster.record.record ? s.cluster.record.record->epoch : 0;
    s.trouble = ha::sickness(local_, now);
    s.term_left = tenure ? std::max(to_millis(tenure->deadline - now), Millis{}) : Millis{};
    const auto last = parts_.feed.last_answer();
    s.dcs_last_seen =
        last.never() ? 0 : wall - std::chrono::duration_cast<Seconds>(now - last).count();
    s.dcs_reachable = !last.never() && now < last + Nanos(dynamic_.lease.ttl);
    s.failsafe_active = keeping_.on_promises || (!s.dcs_reachable && now < promised_until_);
    s.pause = dynamic_.pause;
    s.tags_json = parts_.config.tags_json;
    s.loop_wait = dynamic_.loop_wait;
    s.maximum_lag_on_failover = dynamic_.maximum_lag_on_failover;
    s.lease = dynamic_.lease;
    s.next_cycle_due = next_cycle_;
    s.rule = last_rule_;
    s.why = last_why_;
    return s;
}

/// Its term is not over, and it has been confirmed since this host may last have stood still (F6).
bool Agent::holds_for_certain() const {
    const auto now = parts_.clock.now();
    parts_.wake.wake(now, parts_.clock.wall_nanos());
    return keeping_.tenure && now < keeping_.tenure->deadline &&
           keeping_.proved_after == parts_.wake.pauses();
}

std::vector<std::string> Agent::obstacles() const {
    return ha::obstacles(look());
}

Standing Agent::standing() const {
    const auto stored = parts_.durable.load();
    const auto now = parts_.clock.now();
    return Standing{.uuid = parts_.identity.uuid,
                    .name = parts_.identity.name,
                    .stored_epoch = stored.epoch,
                    .seen_revision = std::max(stored.revision, seen_revision_),
                    .holds = keeping_.tenure && now < keeping_.tenure->deadline,
                    .may_lead = !parts_.config.nofailover && !local_.needs_rewind &&
                                local_.accepting && local_.role == ha::Role::standby &&
                                !local_.job.running && ha::sickness(local_, now).empty(),
                    .timeline = local_.timeline,
                    .received = local_.lsn,
                    .replayed = local_.replayed};
}

}  // namespace howdah::agent
