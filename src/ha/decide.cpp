#include "ha/decide.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.h"
#include "ha/rules.h"
#include "ha/sickness.h"

namespace howdah::ha {
namespace {

/// Since when this primary is one, and since when its standby names are in force.
void remember_writable(const View& v, Memory& m) {
    if (!v.tenure || v.local.role != Role::primary || !v.local.accepting) {
        m.barrier_names.clear();
        m.barrier_lsn = {};
        return;
    }
    if (m.writable_epoch != v.tenure->epoch) {
        m.writable_epoch = v.tenure->epoch;
        m.writable_lsn = v.local.lsn;
        m.writable_at = v.now;
    }
    if (v.confirmed_names == v.local.sync_standby_names &&
        (m.barrier_names != v.local.sync_standby_names || m.barrier_lsn == pg::Lsn{})) {
        m.barrier_names = v.local.sync_standby_names;
        m.barrier_lsn = v.local.lsn;
    }
}

/// The version of the record and since when it stands: what W is counted for (L6, L13).
Memory remember(const View& v) {
    auto m = v.memory;
    m.switching = m.switching && v.tenure && v.order;  // a term that was cut off ends it
    remember_writable(v, m);
    if (const auto missing = missing_claimer(v); missing != m.missing_claimer) {
        m.missing_claimer = missing;
        m.missing_since = missing.empty() ? Instant{} : v.now;
    }
    const auto sick = !sickness(v.local, v.now).empty();
    m.sick_since = !sick ? Instant{} : m.sick_since.never() ? v.now : m.sick_since;
    const bool leaderless = v.cluster && v.cluster->record.absent() && v.cluster->record.bare();
    m.leaderless_since = !leaderless                  ? Instant{}
                         : m.leaderless_since.never() ? v.now
                                                      : m.leaderless_since;
    if (!v.cluster) {
        return m;
    }
    const auto& seen = v.cluster->record;
    if (seen.revision == m.record_revision && seen.value == m.record_value &&
        !m.record_first_seen.never()) {
        return m;
    }
    auto times = v.settings.lease;
    if (seen.record) {
        times.ttl = seen.record->ttl;
    }
    auto wait = times.candidate_wait();
    // A shorter T binds candidates only after one full old W.
    if (v.now < m.record_first_seen + m.record_wait) {
        wait = std::max(wait, m.record_wait);
    }
    const auto went_back =
        seen.record && (seen.record->epoch < v.self.stored_epoch ||
                        (seen.revision > 0 && seen.revision < m.record_revision) ||
                        (v.last_record && is_older(*seen.record, *v.last_record)));
    if (went_back) {
        m.suspect_until = v.now + 2 * times.candidate_wait();
    }
    m.handed_over = m.handed_over && !(seen.record && seen.record->state == RecordState::primary);
    m.record_revision = seen.revision;
    m.record_value = seen.value;
    m.record_first_seen = v.record_seen.never() ? v.now : v.record_seen;
    m.record_wait = HD_MUTANT(no_wait) ? Millis{} : wait;
    m.gave_way_since = {};
    return m;
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

const std::vector<Rule>& rules() {
    // Order is policy: the first rule that applies decides, and safety comes first. Yet each rule
    // states all of its own conditions, so that it can be read and tested alone.
    static const auto all = [] {
        std::vector<Rule> list;
        for (const auto& group : {fencing_rules(), health_rules(), vote_rules(), claimer_rules(),
                                  sync_rules(), holder_rules(), data_rules(), lost_record_rules(),
                                  adoption_rules(), candidate_rules()}) {
            list.insert(list.end(), group.begin(), group.end());
        }
        return list;
    }();
    return all;
}

}  // namespace

Plan decide(const View& view) {
    auto v = view;
    v.memory = remember(view);
    for (const auto& [name, apply] : rules()) {
        if (auto plan = apply(v)) {
            plan->rule = name;
            if (!plan->memory) {
                plan->memory = v.memory;
            }
            return *std::move(plan);
        }
    }
    auto plan = nothing_to_do(v);
    plan.memory = v.memory;
    return plan;
}

std::vector<std::string_view> rule_names() {
    std::vector<std::string_view> names;
    for (const auto& rule : rules()) {
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

namespace {

std::optional<Upstream> upstream_at(const Member& leader) {
    const auto address = leader.postgres_address();
    if (!address) {
        return std::nullopt;
    }
    return Upstream{.name = leader.name, .host = address->host, .port = address->port};
}

/// A Patroni primary, for a member that knows no epoch of Howdah's: a term of Patroni's has none,
/// and whether it is older than an epoch nobody can tell.
std::optional<Upstream> patroni_upstream(const View& v) {
    if (!v.cluster || !v.cluster->record.absent() || v.self.stored_epoch > 0 || v.last_record) {
        return std::nullopt;
    }
    const auto* leader = v.cluster->member(v.cluster->leader_name());
    const auto leads = leader != nullptr && leader->is_patroni() && leader->state == "running" &&
                       (leader->role == "primary" || leader->role == "master");
    return leads ? upstream_at(*leader) : std::nullopt;
}

}  // namespace

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
    return leader == nullptr ? std::nullopt : upstream_at(*leader);
}

bool holds_as(const View& v, RecordState state) {
    return v.tenure && v.tenure->record.state == state;
}

bool is_handed_to_self(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr && record->state == RecordState::handover &&
           record->handover_to == v.self.uuid;
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
