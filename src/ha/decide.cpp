#include "ha/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/mutant.h"
#include "ha/rules.h"
#include "ha/sickness.h"

namespace howdah::ha {
namespace {

/// An operator's word is for the trouble that was looked at, not for the next one.
constexpr Nanos loss_accepted_for = Seconds(120);

/// Since when this primary is one, and since when its standby names are in force.
void notice_writable(const View& v, Noticed& n) {
    if (!v.tenure || v.local.role != Role::primary || !v.local.accepting) {
        n.barrier_names.clear();
        n.barrier_lsn = {};
        return;
    }
    if (n.writable_epoch != v.tenure->epoch) {
        n.writable_epoch = v.tenure->epoch;
        n.writable_lsn = v.local.lsn;
        n.writable_at = v.now;
    }
    if (v.confirmed_names == v.local.sync_standby_names &&
        (n.barrier_names != v.local.sync_standby_names || n.barrier_lsn == pg::Lsn{})) {
        n.barrier_names = v.local.sync_standby_names;
        n.barrier_lsn = v.local.lsn;
    }
}

/// No rule, and it decides nothing: the clocks that rules read, brought up to this view. The chief
/// one is the version of the record and since when it stands: what W is counted for (L6, L13).
Memory remember(const View& v) {
    auto m = v.memory;
    auto& n = m.noticed;
    auto& d = m.decided;
    d.switching = d.switching && v.tenure && v.order;  // a term that was cut off ends it
    // Until the stop that comes before is done, and then until PostgreSQL is up.
    d.start_again = d.start_again && (!v.local.postmaster || v.local.job.running);
    n.stop_cut = n.stop_cut && d.switching;
    notice_writable(v, n);
    if (const auto missing = missing_claimer(v); missing != n.missing_claimer) {
        n.missing_claimer = missing;
        n.missing_since = missing.empty() ? Instant{} : v.now;
    }
    const auto sick = !sickness(v.local, v.now).empty();
    n.sick_since = !sick                  ? Instant{}
                   : n.sick_since.never() ? sick_from(v.local, v.now)
                                          : n.sick_since;
    n.fence_asked = v.local.tree_dead ? Instant{} : n.fence_asked;
    const bool leaderless = v.cluster && v.cluster->record.absent() && v.cluster->record.bare();
    n.leaderless_since = !leaderless                  ? Instant{}
                         : n.leaderless_since.never() ? v.now
                                                      : n.leaderless_since;
    if (holds_as(v, RecordState::claimed) && n.claimed_epoch != v.tenure->epoch) {
        n.claimed_epoch = v.tenure->epoch;
        n.claimed_at = v.now;
    }
    if (!v.cluster) {
        return m;
    }
    const auto& seen = v.cluster->record;
    // An operator's wish ends with the next primary.
    d.handed_over = d.handed_over && !(seen.record && seen.record->state == RecordState::primary);
    if (seen.record && seen.foreign() && seen.leader_revision > seen.revision) {
        n.patroni_led_over = seen.revision;
    }
    if (seen.revision == n.record_revision && seen.value == n.record_value &&
        !n.record_first_seen.never()) {
        return m;
    }
    auto times = v.settings.lease;
    if (seen.record) {
        times.ttl = seen.record->ttl;
    }
    auto wait = times.candidate_wait();
    // A shorter T binds candidates only after one full old W.
    if (v.now < n.wait_ends()) {
        wait = std::max(wait, n.record_wait);
    }
    const auto went_back =
        seen.record && (seen.record->epoch < v.self.stored_epoch ||
                        (seen.revision > 0 && seen.revision < n.record_revision) ||
                        (v.last_record && is_older(*seen.record, *v.last_record)));
    if (went_back) {
        n.suspect_until = v.now + 2 * times.candidate_wait();
    }
    n.record_revision = seen.revision;
    n.record_value = seen.value;
    n.record_first_seen = v.record_seen.never() ? v.now : v.record_seen;
    n.record_wait = HD_MUTANT(no_wait) ? Millis{} : wait;
    n.gave_way_since = {};
    return m;
}

bool asks_to_fence(const Plan& plan) {
    return std::ranges::any_of(plan.actions,
                               [](const Action& a) { return std::holds_alternative<Fence>(a); });
}

Plan nothing_to_do(const View& v) {
    Plan plan{.rule = "hold", .why = "nothing to change"};
    if (v.tenure && v.local.role == Role::primary) {
        plan.why = fmt::format("this is the primary of epoch {} on timeline {}", v.tenure->epoch,
                               v.local.timeline);
        plan.wake =
            v.tenure->deadline - v.settings.lease.fence_budget - v.settings.lease.graceful_budget;
    } else if (v.local.role == Role::standby && v.local.following) {
        plan.why = fmt::format("a standby that follows {}", v.local.following->name);
    }
    return plan;
}

struct Rule {
    std::string_view name;
    RuleResult (*apply)(const View&);
};

/// The policy. Order is part of it: the first rule that applies decides, and safety comes first. A
/// rule names what it needs, and excludes its neighbour where both would act on the record. Else it
/// may rely on the rules above: `give_back` does on `seal`, which decides while votes are on their
/// way, and all rules below `lead` on there being no term.
constexpr std::array rules{
    // What must not run.
    Rule{"take_over", rule::take_over},
    Rule{"fence_without_term", rule::fence_without_term},
    Rule{"stop_before_deadline", rule::stop_before_deadline},
    // A primary that lives and can't do its work.
    Rule{"let_term_end", rule::let_term_end},
    Rule{"leave_sick_primary", rule::leave_sick_primary},
    Rule{"look_for_a_healthy_one", rule::look_for_a_healthy_one},
    // A stop that was asked for, and does not end by itself.
    Rule{"abandon_stop", rule::abandon_stop},
    Rule{"cut_stop_short", rule::cut_stop_short},
    Rule{"end_stop_by_force", rule::end_stop_by_force},
    Rule{"ask_for_the_end", rule::ask_for_the_end},
    // What a claimer proves before it may become writable: seal, collect, choose.
    Rule{"give_up_outdated_claim", rule::give_up_outdated_claim},
    Rule{"give_up_fruitless_claim", rule::give_up_fruitless_claim},
    Rule{"give_up_unanswering_server", rule::give_up_unanswering_server},
    Rule{"seal", rule::seal},
    Rule{"yield_to_better", rule::yield_to_better},
    Rule{"prepare_standby_names", rule::prepare_standby_names},
    // Who may claim after this holder, and who is told.
    Rule{"admit_claimer", rule::admit_claimer},
    Rule{"dismiss_claimer", rule::dismiss_claimer},
    Rule{"list_failsafe", rule::list_failsafe},
    // Sync set and synchronous_standby_names of a primary, one safe step at a time.
    Rule{"end_impostor", rule::end_impostor},
    Rule{"show_timeline", rule::show_timeline},
    Rule{"forget_standby_names", rule::forget_standby_names},
    Rule{"change_sync_set", rule::change_sync_set},
    Rule{"wait_for_barrier", rule::wait_for_barrier},
    // What the holder of the record does. `lead` ends its turn: all below have no term.
    Rule{"hand_over", rule::hand_over},
    Rule{"report_death", rule::report_death},
    Rule{"recover_restored", rule::recover_restored},
    Rule{"start_in_place", rule::start_in_place},
    Rule{"give_back", rule::give_back},
    Rule{"reserve_timeline", rule::reserve_timeline},
    Rule{"promote", rule::promote},
    Rule{"refuse_to_lead_a_standby_cluster", rule::refuse_to_lead_a_standby_cluster},
    Rule{"finish_bootstrap", rule::finish_bootstrap},
    Rule{"mark_primary", rule::mark_primary},
    Rule{"switch_over", rule::switch_over},
    Rule{"drop_stale_switchover", rule::drop_stale_switchover},
    Rule{"restore_scope", rule::restore_scope},
    Rule{"lead", rule::lead},
    // Data directory and following: bootstrap, clone, rewind, start, follow.
    Rule{"wait_for_store", rule::wait_for_store},
    Rule{"refuse_newer_format", rule::refuse_newer_format},
    Rule{"wait_for_job", rule::wait_for_job},
    Rule{"wait_for_death", rule::wait_for_death},
    Rule{"refuse_broken_directory", rule::refuse_broken_directory},
    Rule{"refuse_other_cluster", rule::refuse_other_cluster},
    Rule{"resume_bootstrap", rule::resume_bootstrap},
    Rule{"wait_with_restored", rule::wait_with_restored},
    Rule{"race_initialize", rule::race_initialize},
    Rule{"yield_to_restored", rule::yield_to_restored},
    Rule{"bootstrap", rule::bootstrap},
    Rule{"refuse_adoption", rule::refuse_adoption},
    Rule{"obey", rule::obey},
    Rule{"put_under_a_fencer", rule::put_under_a_fencer},
    Rule{"clone", rule::clone},
    Rule{"recover_in_place", rule::recover_in_place},
    Rule{"follow", rule::follow},
    Rule{"check_divergence", rule::check_divergence},
    Rule{"rewind", rule::rewind},
    Rule{"start_standby", rule::start_standby},
    // The leader record vanished from an initialized scope.
    Rule{"claim_lost_record", rule::claim_lost_record},
    // What was a Patroni cluster goes on as Howdah's.
    Rule{"take_over_from_patroni", rule::take_over_from_patroni},
    // Who claims the record, and when.
    Rule{"stay_out", rule::stay_out},
    Rule{"claim_handover", rule::claim_handover},
    Rule{"claim_released", rule::claim_released},
    Rule{"claim_after_wait", rule::claim_after_wait},
    Rule{"stand_by", rule::stand_by},
};

}  // namespace

Plan decide(const View& view) {
    auto v = view;
    v.memory = remember(view);
    for (const auto& [name, apply] : rules) {
        if (auto plan = apply(v)) {
            plan->rule = name;
            if (!plan->memory) {
                plan->memory = v.memory;
            }
            if (asks_to_fence(*plan) && plan->memory->noticed.fence_asked.never()) {
                plan->memory->noticed.fence_asked = v.now;
            }
            return *std::move(plan);
        }
    }
    auto plan = nothing_to_do(v);
    plan.memory = v.memory;
    return plan;
}

Memory remembered_after(const Plan& plan, bool done, const Memory& before) {
    auto memory = plan.memory.value_or(before);
    if (!done) {
        memory.decided = before.decided;
    }
    return memory;
}

std::string why_no_new_cluster(const Settings& settings) {
    if (settings.standby_cluster) {
        return std::string(standby_cluster_refused);
    }
    return settings.refused.empty()
               ? std::string()
               : fmt::format("the configuration asks for what is not there: {}", settings.refused);
}

std::vector<std::string_view> rule_names() {
    std::vector<std::string_view> names;
    for (const auto& rule : rules) {
        names.push_back(rule.name);
    }
    return names;
}

bool may_stay_writable(const View& v) {
    return v.tenure && v.now < v.tenure->deadline - v.settings.lease.fence_budget;
}

const Record* record_of(const View& v) {
    if (!v.cluster || !v.cluster->record.record || v.cluster->record.foreign()) {
        return nullptr;
    }
    return &*v.cluster->record.record;
}

std::optional<Upstream> upstream_at(const Member& member) {
    const auto address = member.postgres_address();
    if (!address) {
        return std::nullopt;
    }
    return Upstream{.name = member.name, .host = address->host, .port = address->port};
}

namespace {

/// Somebody took `leader` after the last record was written.
bool leads_after(const Sighting& seen) {
    return seen.foreign() && seen.leader_revision > seen.revision;
}

/// A Patroni primary whose key is later than the last record of Howdah's, or there is none and this
/// member knows no epoch: a term of Patroni's has none, and whether it is older than an epoch that
/// only a member knows nobody can tell.
std::optional<Upstream> patroni_upstream(const View& v) {
    if (!v.cluster) {
        return std::nullopt;
    }
    const auto& seen = v.cluster->record;
    const auto never_led = seen.absent() && v.self.stored_epoch == 0 && !v.last_record;
    if (!never_led && !(seen.record && leads_after(seen))) {
        return std::nullopt;
    }
    const auto* leader = v.cluster->member(v.cluster->leader_name());
    const auto leads = leader != nullptr && leader->is_patroni() && leader->state == "running" &&
                       (leader->role == "primary" || leader->role == "master");
    return leads ? upstream_at(*leader) : std::nullopt;
}

}  // namespace

bool patroni_led_since(const View& v) {
    const auto* record = record_of(v);
    if (record == nullptr) {
        return false;
    }
    const auto& history = v.cluster->history;
    const auto last_opened = std::max(record->promoted.timeline, record->last_start.timeline);
    return v.memory.noticed.patroni_led_over == v.cluster->record.revision ||
           (!history.empty() && history.back().parent + 1 > last_opened);
}

Epoch leader_term(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr ? record->epoch
           : v.cluster       ? static_cast<Epoch>(v.cluster->record.leader_revision)
                             : 0;
}

std::optional<Upstream> upstream_of(const View& v) {
    const auto* record = record_of(v);
    if (record == nullptr) {
        return patroni_upstream(v);
    }
    // A sealed member never follows a primary of a lower epoch again.
    if (!may_be_followed(*record) || record->holder == v.self.uuid ||
        record->epoch < v.self.stored_epoch) {
        return std::nullopt;
    }
    const auto* leader = v.cluster->member_by_uuid(record->holder);
    auto upstream = leader == nullptr ? std::nullopt : upstream_at(*leader);
    if (upstream) {
        upstream->timeline = record->timeline;
        upstream->system_id = record->system_id;
    }
    return upstream;
}

bool holds_as(const View& v, RecordState state) {
    return v.tenure && v.tenure->record.state == state;
}

bool is_handed_to_self(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr && record->state == RecordState::handover &&
           record->handover_to == v.self.uuid;
}

bool is_left_running(const View& v) {
    if (!v.settings.pause) {
        return false;
    }
    const auto* record = record_of(v);
    const auto* known = record != nullptr             ? record
                        : !v.cluster && v.last_record ? &*v.last_record
                                                      : nullptr;
    // A member that lost its state directory is still the one that led under its name.
    const auto led = known != nullptr && (known->holder == v.self.uuid ||
                                          (known->paused && known->holder_name == v.self.name &&
                                           known->system_id == v.local.system_id));
    return led && (known->state != RecordState::handover || known->handover_to == v.self.uuid);
}

bool lacks_held_wal(const View& v) {
    const auto now = wal_of(v.local);
    return now.timeline != 0 && lacks(now, v.self.held);
}

bool was_stopped_by_hand(const View& v) {
    return v.settings.pause && !v.memory.decided.start_again &&
           v.local.control.state.starts_with("shut down");
}

bool accepts_loss(const View& v) {
    const auto* record = record_of(v);
    return v.loss_accepted && record != nullptr &&
           (v.tenure ? v.tenure->epoch > v.loss_accepted->epoch
                     : record->epoch == v.loss_accepted->epoch) &&
           v.now < v.loss_accepted->asked + loss_accepted_for;
}

std::string way_out(const View& v) {
    return fmt::format("`howdah failover --accept-loss --candidate {}`", v.self.name);
}

Instant wait_ends(const View& v) {
    return v.memory.noticed.wait_ends();
}

bool promise_stands(const View& v) {
    return !v.self.promised_until.never() && v.now < v.self.promised_until &&
           !HD_MUTANT(promise_not_kept);
}

bool postgres_is_down(const View& v) {
    return !v.local.postmaster && v.local.tree_dead;
}

bool backing_off(const View& v, JobKind kind, Nanos pause) {
    return v.local.job.kind == kind && !v.local.job.running && v.local.job.failures > 0 &&
           v.now < v.local.job.since + pause;
}

std::string seconds_text(Nanos t) {
    return fmt::format("{:.1f} s", to_seconds(t));
}

}  // namespace howdah::ha
