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
constexpr Nanos recover_order_lasts = Seconds(600);
/// A cycle that takes longer, and than 2T, hangs: every wait in it has a smaller limit.
constexpr Nanos cycle_limit = Seconds(10);
/// Shown as a rule while the state directory can't be written.
constexpr auto waits_for_disk = "wait_for_disk";

}  // namespace

Agent::Agent(Parts parts)
    : parts_(std::move(parts)),
      prefix_(parts_.config.prefix()),
      bell_(parts_.executor, parts_.clock),
      background_(std::make_unique<io::Scope>(parts_.executor)),
      last_record_(parts_.durable.last_record()) {
    if (last_record_ && last_record_->holder == parts_.identity.uuid &&
        last_record_->reserved.epoch == last_record_->epoch) {
        opening_ = last_record_->reserved;
    }
}

Agent::~Agent() = default;

io::Task<Result<>> Agent::run() {
    parts_.instance.on_change([this] { bell_.ring(); });
    parts_.feed.on_change([this] { bell_.ring(); });
    if (auto adopted = co_await parts_.instance.adopt(); !adopted) {
        co_return std::unexpected(std::move(adopted).error());
    }
    background_->spawn([this] { return keep_member_lease(); });
    background_->spawn([this] { return keep_turning(); });
    recall_promise();
    while (!halted_ && !stopping_) {
        cycle_begun_ = parts_.clock.now();
        co_await cycle();
        (void)co_await bell_.wait_until(next_cycle_);
    }
    if (halted_) {
        co_return std::unexpected(*halted_);
    }
    co_return Result<>{};
}

/// N3: a term whose holder decides nothing any more must not be renewed. `post_bootstrap` may take
/// as long as it likes: nobody waits for a cluster that is being made.
io::Task<> Agent::keep_turning() {
    while (true) {
        const auto now = parts_.clock.now();
        const auto limit = std::max<Nanos>(cycle_limit, 2 * Nanos(dynamic_.lease.ttl));
        if (now < cycle_begun_ + limit || won_initialize_) {
            parts_.keeper.turned();
        }
        if (!co_await parts_.clock.until(now + Nanos(dynamic_.lease.ttl) / 8)) {
            co_return;
        }
    }
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

/// An operator's word is for what was looked at then.
void Agent::forget_old_orders() {
    if (recover_ && parts_.clock.now() > recover_asked_ + recover_order_lasts) {
        spdlog::warn("the order to write the lost leader record anew is too old: dropped");
        recover_.reset();
    }
}

/// Kept where the next run of this agent finds it before the store answers.
void Agent::keep_pause() {
    if (!configuration_seen_) {
        return;
    }
    if (const auto kept = parts_.durable.keep_paused(dynamic_.pause); !kept) {
        spdlog::error("pause is not kept for a restart of this agent why=\"{}\"",
                      kept.error().message);
    }
    if (told_paused_ != dynamic_.pause) {
        told_paused_ = dynamic_.pause;
        parts_.keeper.pause(dynamic_.pause);
    }
}

io::Task<> Agent::cycle() {
    forget_old_orders();
    take_configuration();
    keep_pause();
    local_ = co_await parts_.instance.observe(observe_limit);
    if (HD_MUTANT(release_before_reap) && !local_.postmaster) {
        local_.tree_dead = true;
        local_.final_lsn = local_.lsn;
    }
    recognize_walsenders();
    local_.watchdog_trouble = parts_.watchdog.trouble();
    const bool may_write = local_.role == ha::Role::primary && !local_.tree_dead;
    if (!keeping_.tenure && !keeping_.claim_unresolved && !claiming_ && !may_write) {
        parts_.watchdog.stop();
        parts_.deadlines.release();
    }
    if (keeping_.tenure && may_write) {
        parts_.deadlines.guard();
    }
    co_await configure_instance();
    run_callbacks();
    take_failover_key();
    take_scheduled_restart();
    if (race_unresolved_) {
        (void)co_await race_initialize();
    }
    co_await answer_seals();
    if (auto learned = co_await learn_epochs(); !learned) {
        last_rule_ = waits_for_disk;
        last_why_ = "nothing is done now: " + learned.error().message;
        spdlog::error("{}", last_why_);
        next_cycle_ = parts_.clock.now() + tick;
        co_return;
    }
    co_await rank_history();
    note_held_wal();
    if (local_.bootstrap_begun && !won_initialize_ && is_initialized()) {
        co_await forget_bootstrap();
    }
    tell_keeper_of_peers();
    confirm_standbys_when_due();
    const auto view = look();
    const auto plan = ha::decide(view);
    if (watch_plan_) {
        watch_plan_(view, plan);
    }
    log_plan(plan);
    const auto done = co_await act(plan);
    memory_ = ha::remembered_after(plan, done.has_value(), memory_);
    if (!done) {
        spdlog::warn("step failed rule={} why=\"{}\"", plan.rule, done.error().message);
    }
    reinitializing_ =
        reinitializing_ && (standby_order_ || local_.job.running || !local_.accepting);
    co_await keep_house();
    prove_archive_when_due();
    const auto now = parts_.clock.now();
    next_cycle_ = now + tick;
    if (!plan.wake.never() && plan.wake < next_cycle_) {
        next_cycle_ = std::max(plan.wake, now + Millis(5));
    }
}

/// The scope names its cluster.
bool Agent::is_initialized() const {
    const auto& cluster = std::as_const(parts_.feed.current());
    return cluster && cluster->initialize && !cluster->initialize->empty();
}

ha::View Agent::look() const {
    const auto now = parts_.clock.now();
    const auto stored = parts_.durable.load();
    ha::View view{.now = now, .local = local_, .peers = peers_, .order = order_, .memory = memory_};
    view.settings = {.lease = dynamic_.lease,
                     .maximum_lag_on_failover = dynamic_.maximum_lag_on_failover,
                     .pause = paused(),
                     .refused = dynamic_.refused,
                     .standby_cluster = dynamic_.standby_cluster,
                     .sync_mode = dynamic_.synchronous_mode,
                     .sync_strict = dynamic_.synchronous_mode_strict,
                     .sync_node_count = dynamic_.synchronous_node_count,
                     .failsafe = dynamic_.failsafe_mode,
                     .maximum_lag_on_syncnode = dynamic_.maximum_lag_on_syncnode};
    view.self = {.uuid = parts_.identity.uuid,
                 .name = parts_.identity.name,
                 .nofailover = parts_.config.nofailover,
                 .failover_priority = parts_.config.failover_priority,
                 .can_bootstrap = parts_.config.bootstrap && member_lease_ != 0,
                 .stored_epoch = stored.epoch,
                 .won_initialize = won_initialize_,
                 .armed_until = parts_.deadlines.armed(),
                 .promised_until = promised_until_,
                 .history_epoch = place_.epoch,
                 .history_opened = place_.opened,
                 .greatest_timeline = greatest_timeline(),
                 .held = parts_.durable.held_wal()};
    view.votes = votes_;
    view.standby_order = standby_order_;
    view.recover = recover_;
    view.loss_accepted = loss_accepted_;
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
    if (!view.cluster) {
        view.last_record = last_record_;
    }
    view.names = parts_.durable.names();
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
        for (const auto& odd : parsed->odd) {
            spdlog::warn("configuration: {}", odd);
        }
        if (dynamic_.standby_cluster) {
            spdlog::error("configuration: {}", ha::standby_cluster_refused);
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
    callback_commands_ = effective->callbacks;
    if (auto done = co_await parts_.instance.configure(*std::move(effective)); !done) {
        spdlog::error("settings not written why=\"{}\"", done.error().message);
        configured_for_.clear();
    }
}

/// None while a cluster is being made.
void Agent::run_callbacks() {
    callbacks_.reap();
    if (won_initialize_) {
        return;
    }
    for (const auto& due : callback_watch_.saw(local_, restarting_)) {
        callbacks_.run(callback_commands_, due, parts_.config.scope);
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
    s.known_members = known_members_;
    s.local = local_;
    s.local.state = shown_state();
    s.scheduled_restart_json = scheduled_restart_json();
    // A cluster that is being made is nobody's to use.
    s.holds_leader = holds_for_certain() && !won_initialize_;
    s.epoch = tenure ? tenure->epoch : s.cluster.record.record ? s.cluster.record.record->epoch : 0;
    s.trouble = ha::sickness(local_, now);
    s.archiving_off = archiving_off();
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

/// Copy orders of members on which no commit counts: neither published nor in force, no attempt is
/// on its way, and their tag `nosync` has been seen, so that none will (N7).
std::vector<std::string> Agent::not_counted() const {
    const auto& cluster = std::as_const(parts_.feed.current());
    std::vector<std::string> orders;
    if (!cluster || !keeping_.tenure || keeping_.tenure->change_unresolved) {
        return orders;
    }
    for (const auto& member : cluster->members) {
        if (!member.copy_order.empty() && member.tags().nosync &&
            ha::counts_on_nobody_called(member.name, *keeping_.tenure, local_, confirmed_names_) &&
            keeping_.tenure->record.sync.voter(member.uuid) == nullptr) {
            orders.push_back(member.copy_order);
        }
    }
    return orders;
}

/// What `/config` says, or said last when this run has not read it yet: a member that starts
/// without the store must not end a pause.
bool Agent::paused() const {
    return configuration_seen_ ? dynamic_.pause : parts_.durable.paused();
}

/// Of all that this member has seen of the cluster, on disk or in the store.
pg::Timeline Agent::greatest_timeline() const {
    auto greatest =
        std::max({local_.timeline, local_.control.timeline, parts_.durable.greatest_timeline()});
    for (const auto& start : parts_.durable.epochs()) {
        greatest = std::max(greatest, start.timeline);
    }
    if (last_record_) {
        greatest =
            std::max({greatest, last_record_->reserved.timeline, last_record_->promoted.timeline});
    }
    if (const auto& cluster = std::as_const(parts_.feed.current()); cluster) {
        for (const auto& row : cluster->history) {
            greatest = std::max(greatest, row.parent + 1);
        }
        for (const auto& member : cluster->members) {
            greatest = std::max({greatest, member.timeline, member.greatest_timeline});
        }
    }
    return greatest;
}

std::vector<std::string> Agent::obstacles() const {
    auto all = ha::obstacles(look());
    if (last_rule_ == waits_for_disk) {
        all.insert(all.begin(), last_why_);
    }
    return all;
}

Standing Agent::standing() const {
    const bool receives = local_.role == ha::Role::standby &&
                          (local_.streaming_from_following || local_.receiver_port != 0);
    const auto stored = parts_.durable.load();
    const auto now = parts_.clock.now();
    return Standing{.uuid = parts_.identity.uuid,
                    .name = parts_.identity.name,
                    .stored_epoch = stored.epoch,
                    .seen_revision = std::max(stored.revision, seen_revision_),
                    .seen_epoch = last_record_ ? last_record_->epoch : 0,
                    .seen_sync_version = last_record_ ? last_record_->sync_version : 0,
                    .lost = lost_record(),
                    .holds = keeping_.tenure && now < keeping_.tenure->deadline,
                    .may_lead = !parts_.config.nofailover && !place_.left_at &&
                                !local_.needs_rewind && local_.accepting &&
                                !ha::lacks(ha::wal_of(local_), parts_.durable.held_wal()) &&
                                local_.role == ha::Role::standby && !local_.job.running &&
                                ha::sickness(local_, now).empty(),
                    .failover_priority = parts_.config.failover_priority,
                    .timeline = local_.timeline,
                    .received = local_.lsn,
                    .replayed = local_.replayed,
                    .not_counted = not_counted(),
                    .streams_from = receives && local_.following ? local_.following->name : "",
                    .receiver_port = local_.receiver_port};
}

}  // namespace howdah::agent
