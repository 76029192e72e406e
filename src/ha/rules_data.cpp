#include <fmt/format.h>

#include "base/mutant.h"
#include "ha/rules.h"
#include "ha/sickness.h"

namespace howdah::ha {
namespace {

constexpr Nanos retry_after = Seconds(5);
/// A member whose disk or postmaster is sick leaves the others so much longer to take over.
constexpr Nanos sick_comes_last = Seconds(10);
/// A member that is to be copied anew asks the primary so long not to count on it.
constexpr Nanos leave_sync_set_within = Seconds(30);

RuleResult wait_for_store(const View& v) {
    if (v.cluster) {
        return std::nullopt;
    }
    return Plan{.why = "the store has not answered yet; nothing is touched meanwhile"};
}

RuleResult wait_for_job(const View& v) {
    if (!v.local.job.running) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("a job runs for {}", seconds_text(v.now - v.local.job.since))};
}

RuleResult wait_for_death(const View& v) {
    if (v.local.postmaster || v.local.tree_dead) {
        return std::nullopt;
    }
    return Plan{.why = "processes of the old server are not proven dead yet", .actions = {Fence{}}};
}

RuleResult refuse_broken_directory(const View& v) {
    if (v.local.data_dir != DataDir::broken) {
        return std::nullopt;
    }
    return Plan{.why = "the data directory holds files, but no PostgreSQL cluster",
                .actions = {Halt{}}};
}

/// `/initialize` says it, and while a store that lost its data has none, the record.
std::string system_id_of_scope(const Cluster& cluster) {
    if (cluster.initialize && !cluster.initialize->empty()) {
        return *cluster.initialize;
    }
    return cluster.record.record ? cluster.record.record->system_id : std::string();
}

RuleResult refuse_other_cluster(const View& v) {
    if (!v.cluster || v.local.data_dir != DataDir::initialized || v.local.system_id.empty() ||
        HD_MUTANT(system_id_ignored)) {
        return std::nullopt;
    }
    const auto scope = system_id_of_scope(*v.cluster);
    if (scope.empty() || scope == v.local.system_id) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("the data directory belongs to another cluster: its system "
                                   "identifier is {}, the scope's is {}",
                                   v.local.system_id, scope),
                .actions = {Halt{}}};
}

bool new_scope(const View& v) {
    return v.cluster && !v.cluster->initialize && v.cluster->record.absent();
}

RuleResult race_initialize(const View& v) {
    if (v.local.data_dir != DataDir::empty || !new_scope(v) || !v.self.can_bootstrap ||
        v.self.nofailover || v.self.won_initialize || v.cluster->record.leader_revision != 0) {
        return std::nullopt;
    }
    return Plan{.why = "the scope is new and this member may bootstrap it",
                .actions = {RaceInitialize{}}};
}

RuleResult bootstrap(const View& v) {
    if (!v.self.won_initialize || v.tenure || v.claim_unresolved) {
        return std::nullopt;
    }
    if (v.local.job.kind == JobKind::initdb && v.local.job.failures > 0) {
        return Plan{.why = "bootstrap failed: " + v.local.job.error, .actions = {Halt{}}};
    }
    if (v.local.data_dir == DataDir::empty) {
        return Plan{.why = "creating a new cluster", .actions = {Initialize{}}};
    }
    return Plan{.why = "a new cluster was created here", .actions = {ClaimRecord{}}};
}

/// An operator's order to a member that does not lead. Its copy comes from a primary that does, in
/// a term that no member here disputes (P3).
RuleResult obey(const View& v) {
    if (!v.standby_order || v.tenure || v.claim_unresolved || v.self.won_initialize) {
        return std::nullopt;
    }
    if (v.standby_order->what == StandbyOrder::What::restart) {
        return v.local.postmaster
                   ? Plan{.why = "stopping for a restart", .actions = {Stop{}, EndStandbyOrder{}}}
                   : Plan{.why = "it is down already", .actions = {EndStandbyOrder{}}};
    }
    const auto leader = upstream_of(v);
    if (!leader || !v.cluster_fresh || v.local.data_dir != DataDir::initialized) {
        return Plan{.why = "nothing to reinitialize, or no primary is known to copy from",
                    .actions = {EndStandbyOrder{}}};
    }
    const auto* record = record_of(v);
    if (record != nullptr && record->sync.voter(v.self.uuid) != nullptr) {
        const auto until = v.standby_order->asked + leave_sync_set_within;
        return v.now < until ? Plan{.why = "leaving the sync set before the new copy"}
                             : Plan{.why = "no new copy: only this standby is left in the sync set",
                                    .actions = {EndStandbyOrder{}}};
    }
    if (v.local.postmaster) {
        return Plan{.why = "stopping, to be copied anew", .actions = {Stop{.immediate = true}}};
    }
    return Plan{.why = fmt::format("an operator wants a new copy of {}", leader->name),
                .actions = {Reinitialize{*leader}, EndStandbyOrder{}}};
}

/// What Patroni left running could never be promoted here.
RuleResult put_under_a_fencer(const View& v) {
    if (!v.local.unfenced || v.local.role != Role::standby || !v.local.accepting || v.tenure ||
        v.claim_unresolved) {
        return std::nullopt;
    }
    return Plan{.why = "this standby runs without a fencer: stopping it, to start it with one",
                .actions = {Stop{}}};
}

RuleResult refuse_adoption(const View& v) {
    if (v.local.data_dir != DataDir::initialized || !new_scope(v) || v.self.won_initialize ||
        v.recover) {
        return std::nullopt;
    }
    return Plan{.why =
                    "the data directory holds a cluster, but the scope is new: move the directory "
                    "away to let this member join; if the store lost its data, run `howdah dcs "
                    "recover`"};
}

RuleResult clone(const View& v) {
    if (v.local.data_dir != DataDir::empty) {
        return std::nullopt;
    }
    const auto leader = upstream_of(v);
    if (!leader) {
        return Plan{.why = v.cluster && v.cluster->initialize
                               ? "waiting for a primary to copy"
                               : "waiting for a leader to bootstrap"};
    }
    if (backing_off(v, JobKind::clone, retry_after)) {
        return Plan{.why = "the base backup failed: " + v.local.job.error,
                    .wake = v.local.job.since + retry_after};
    }
    return Plan{.why = fmt::format("no data here: base backup from {}", leader->name),
                .actions = {Clone{*leader}}};
}

/// F8: the primary died here, its end is published, and nobody who has all its WAL claimed in time.
RuleResult recover_in_place(const View& v) {
    const auto* record = record_of(v);
    const bool restarts = is_handed_to_self(v);
    const bool crashed = record != nullptr && record->state == RecordState::released &&
                         !v.settings.pause && !v.self.nofailover;
    if (record == nullptr || !(restarts || crashed) || record->holder != v.self.uuid ||
        record->promoted.uuid != v.self.uuid || !postgres_is_down(v) || v.tenure ||
        v.claim_unresolved || promise_stands(v) || v.now < v.memory.suspect_until ||
        lost_sync_set(v)) {
        return std::nullopt;
    }
    if (v.local.job.kind == JobKind::start && v.local.job.failures >= 3) {
        return std::nullopt;
    }
    if (restarts) {
        return Plan{.why = fmt::format("stopped at {} for a restart", record->lsn.text()),
                    .actions = {ClaimRecord{}}};
    }
    const auto others_first = sickness(v.local, v.now).empty() ? Nanos{} : sick_comes_last;
    const auto when = v.memory.record_first_seen + v.settings.recover_after + others_first;
    if (v.now < when) {
        return Plan{.why = "released; another member may take over", .wake = when};
    }
    return Plan{
        .why = fmt::format("nobody took over within {} ms", v.settings.recover_after.count()),
        .actions = {ClaimRecord{}}};
}

RuleResult check_divergence(const View& v) {
    const auto leader = upstream_of(v);
    if (!leader || v.local.data_dir != DataDir::initialized || v.local.needs_rewind) {
        return std::nullopt;
    }
    const auto epoch = leader_term(v);
    const auto unchecked =
        v.memory.checked_epoch != epoch && v.now >= v.memory.checked_at + Seconds(1);
    // A running standby finds its way alone as long as its WAL ends before the branch. A leader
    // that does not renew is not asked: waiting for its answer would delay the claim.
    const auto renewed = v.now < v.memory.record_first_seen + v.settings.lease.ttl / 2;
    const auto astray = renewed && v.local.following == leader &&
                        !v.local.streaming_from_following &&
                        v.now >= v.memory.checked_at + (unchecked ? Seconds(1) : Seconds(10));
    if (v.local.postmaster ? !astray : !unchecked) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.checked_epoch = epoch;
    memory.checked_at = v.now;
    return Plan{.why = fmt::format("does the history here agree with that of {}?", leader->name),
                .actions = {CheckDivergence{*leader}},
                .memory = memory,
                .wake = v.now + Seconds(1)};
}

RuleResult rewind(const View& v) {
    const auto leader = upstream_of(v);
    if (!leader || !v.local.needs_rewind) {
        return std::nullopt;
    }
    if (v.local.postmaster) {
        return Plan{
            .why = fmt::format("WAL here left the history of {}: stop, then rewind", leader->name),
            .actions = {Stop{}}};
    }
    if (backing_off(v, JobKind::rewind, retry_after)) {
        return Plan{.why = "rewind failed: " + v.local.job.error,
                    .wake = v.local.job.since + retry_after};
    }
    return Plan{.why = fmt::format("WAL here left the history of {}", leader->name),
                .actions = {Rewind{*leader}}};
}

/// A new primary is on its way; starting now could copy WAL that it then has to lose. One that
/// was sealed starts: the claimer may need it. So does everybody once it shows its timeline: in
/// strict mode it waits for its standbys.
bool leader_is_coming(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr && record->holder != v.self.uuid && !may_be_followed(*record) &&
           (record->state == RecordState::claimed || record->state == RecordState::released) &&
           record->epoch != v.self.stored_epoch &&
           v.now < v.memory.record_first_seen + v.memory.record_wait;
}

bool handed_over_recently(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr && record->state == RecordState::handover &&
           record->holder == v.self.uuid &&
           v.now < v.memory.record_first_seen + v.memory.record_wait;
}

/// It handed over to itself, and the copy of the store does not show that yet.
bool about_to_claim(const View& v) {
    const auto* record = record_of(v);
    return v.now < v.memory.restarts_until && record != nullptr && record->holder == v.self.uuid &&
           record->state == RecordState::primary;
}

RuleResult start_standby(const View& v) {
    if (v.local.postmaster || v.local.data_dir != DataDir::initialized || v.tenure ||
        v.claim_unresolved || v.self.won_initialize) {
        return std::nullopt;
    }
    if (about_to_claim(v)) {
        return Plan{.why = "stopped for a restart", .wake = v.memory.restarts_until};
    }
    if (leader_is_coming(v) || handed_over_recently(v)) {
        return Plan{.why = "waiting for the next primary before starting",
                    .wake = v.memory.record_first_seen + v.memory.record_wait};
    }
    if (backing_off(v, JobKind::start, retry_after)) {
        return Plan{.why = "PostgreSQL does not start: " + v.local.job.error,
                    .wake = v.local.job.since + retry_after};
    }
    const auto leader = upstream_of(v);
    if (leader && v.memory.checked_epoch != leader_term(v) &&
        v.now < v.memory.record_first_seen + v.memory.record_wait) {
        return Plan{.why = fmt::format("waiting for {} to tell its history", leader->name),
                    .wake = v.memory.checked_at + Seconds(1)};
    }
    return Plan{.why = leader ? fmt::format("start as a standby of {}", leader->name)
                              : "start as a standby without a primary to follow",
                .actions = {StartStandby{leader}}};
}

RuleResult follow(const View& v) {
    const auto leader = upstream_of(v);
    if (!leader || v.local.role != Role::standby || !v.local.postmaster ||
        v.local.following == leader || v.tenure) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("{} leads now", leader->name), .actions = {Follow{*leader}}};
}

}  // namespace

std::vector<Rule> data_rules() {
    return {{"wait_for_store", wait_for_store},
            {"wait_for_job", wait_for_job},
            {"wait_for_death", wait_for_death},
            {"refuse_broken_directory", refuse_broken_directory},
            {"refuse_other_cluster", refuse_other_cluster},
            {"race_initialize", race_initialize},
            {"bootstrap", bootstrap},
            {"refuse_adoption", refuse_adoption},
            {"obey", obey},
            {"put_under_a_fencer", put_under_a_fencer},
            {"clone", clone},
            {"recover_in_place", recover_in_place},
            {"follow", follow},
            {"check_divergence", check_divergence},
            {"rewind", rewind},
            {"start_standby", start_standby}};
}

}  // namespace howdah::ha
