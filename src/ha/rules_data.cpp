#include <fmt/format.h>

#include <algorithm>

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
/// The leader's history is asked for again while it is not known,
constexpr Nanos check_again_after = Seconds(1);
/// and when a standby that had compared it does not find its way.
constexpr Nanos check_astray_every = Seconds(10);
constexpr Nanos ask_primary_every = Millis(500);
constexpr Millis ask_primary_limit{400};
constexpr Nanos ask_again_after = Millis(500);
/// A recovery that failed is tried again: the archive may have more by then.
constexpr Nanos recover_again_after = Seconds(5);
constexpr int recover_again_at_most = 3;  // times that

}  // namespace

RuleResult rule::wait_for_store(const View& v) {
    if (v.cluster) {
        return std::nullopt;
    }
    return Plan{.why = "the store has not answered yet; nothing is touched meanwhile"};
}

/// What a newer Howdah promised in it nobody here can know.
RuleResult rule::refuse_newer_format(const View& v) {
    if (v.cluster->record.absent() || v.cluster->record.record) {
        return std::nullopt;
    }
    const auto read = parse_record(v.cluster->record.value);
    if (read || read.error().code != Errc::unsafe) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("{}: {}", read.error().message, read.error().hint),
                .actions = {Halt{}}};
}

RuleResult rule::wait_for_job(const View& v) {
    if (!v.local.job.running) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("a job runs for {}", seconds_text(v.now - v.local.job.since))};
}

RuleResult rule::wait_for_death(const View& v) {
    if (v.local.postmaster || v.local.tree_dead) {
        return std::nullopt;
    }
    return Plan{.why = "processes of the old server are not proven dead yet", .actions = {Fence{}}};
}

RuleResult rule::refuse_broken_directory(const View& v) {
    if (v.local.data_dir != DataDir::broken) {
        return std::nullopt;
    }
    return Plan{.why = "the data directory holds files, but no whole PostgreSQL cluster",
                .actions = {Halt{}}};
}

namespace {

/// The record says it, which an operator's hand does not write; before there is one, `/initialize`.
std::string system_id_of_scope(const Cluster& cluster) {
    if (cluster.record.record && !cluster.record.record->system_id.empty()) {
        return cluster.record.record->system_id;
    }
    return cluster.initialize.value_or("");
}

}  // namespace

RuleResult rule::refuse_other_cluster(const View& v) {
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

namespace {

bool new_scope(const View& v) {
    return v.cluster && !v.cluster->initialize && v.cluster->record.absent();
}

}  // namespace

namespace {

bool is_restored(const View& v) {
    return v.local.data_dir == DataDir::initialized && v.local.restored;
}

/// Nobody has ever been primary here: no cluster is named, and what record there is, of a claim for
/// a bootstrap, names no promotion.
bool is_unborn(const View& v) {
    const auto& record = v.cluster->record;
    const auto unnamed = !v.cluster->initialize || v.cluster->initialize->empty();
    return unnamed && !record.foreign() &&
           (record.absent() || (record.record && record.record->promoted.epoch == 0));
}

/// The record is what is left of a bootstrap that this member began: nobody else may claim it.
bool began_the_bootstrap(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr && record->holder == v.self.uuid && is_unborn(v);
}

/// What makes a restored directory the wrong one to begin this scope with; empty: nothing.
std::string objection_to_restored(const View& v) {
    if (v.local.restored->shuts_down) {
        return "recovery_target_action is shutdown, so PostgreSQL would end at its target instead "
               "of leading: restore with --target-action=promote";
    }
    if (const auto why = why_no_new_cluster(v.settings); !why.empty()) {
        return why;
    }
    if (v.self.nofailover) {
        return "the tag nofailover forbids this member to lead";
    }
    if ((v.last_record && v.last_record->promoted.epoch != 0) ||
        (!v.last_record && v.cluster->record.absent() && v.self.stored_epoch > 0)) {
        return "this member's state directory knows a primary of this scope, so the store has lost "
               "it: run `howdah dcs recover` on a member that has the cluster's data; if that "
               "cluster is gone for good, remove the state directory";
    }
    for (const auto& member : v.cluster->members) {
        if (member.name != v.self.name && member.xlog_location) {
            return fmt::format("{} of this scope serves a cluster already", member.name);
        }
    }
    return {};
}

}  // namespace

namespace {

/// Another member of this scope that a restore gave a cluster to begin with.
const Member* brings_restored(const View& v) {
    for (const auto& member : v.cluster->members) {
        if (member.restored && member.name != v.self.name) {
            return &member;
        }
    }
    return nullptr;
}

}  // namespace

RuleResult rule::resume_bootstrap(const View& v) {
    const auto may_go_on = v.local.data_dir == DataDir::empty || v.local.bootstrap_begun ||
                           (is_restored(v) && objection_to_restored(v).empty());
    if (v.self.won_initialize || v.tenure || v.claim_unresolved || v.local.postmaster ||
        !began_the_bootstrap(v) || !may_go_on) {
        return std::nullopt;
    }
    if (!v.self.can_bootstrap) {
        return Plan{.why =
                        "an earlier run of this agent began to bootstrap this scope; to go on it "
                        "takes a section bootstrap in patroni.yml, and a lease from the store"};
    }
    return Plan{.why = "an earlier run of this agent began to bootstrap this scope: going on",
                .actions = {ResumeBootstrap{}}};
}

/// Only the member that wins the race uses what a restore left here; nobody starts it before.
RuleResult rule::wait_with_restored(const View& v) {
    if (!is_restored(v) || !is_unborn(v) || v.local.postmaster || v.self.won_initialize ||
        v.tenure || v.claim_unresolved || v.recover) {
        return std::nullopt;
    }
    if (const auto wrong = objection_to_restored(v); !wrong.empty()) {
        return Plan{.why = "the restored directory is not used: " + wrong};
    }
    if (!v.self.can_bootstrap) {
        return Plan{.why =
                        "a restored cluster lies here; to begin the scope with it takes a section "
                        "bootstrap in patroni.yml, and a lease from the store"};
    }
    if (new_scope(v) && v.cluster->record.leader_revision == 0) {
        return std::nullopt;
    }
    const auto* record = record_of(v);
    return Plan{.why = fmt::format(
                    "the restored directory is not used: {} bootstraps this scope; if that never "
                    "ends, `howdah remove` clears the scope",
                    record != nullptr ? record->holder_name : "another member")};
}

RuleResult rule::race_initialize(const View& v) {
    const auto may_begin =
        v.local.data_dir == DataDir::empty ? brings_restored(v) == nullptr : is_restored(v);
    if (!may_begin || !new_scope(v) || !v.self.can_bootstrap || v.self.nofailover ||
        v.self.won_initialize || v.cluster->record.leader_revision != 0) {
        return std::nullopt;
    }
    if (const auto why = why_no_new_cluster(v.settings); !why.empty()) {
        return Plan{.why = fmt::format("no bootstrap: {}", why)};
    }
    return Plan{.why = is_restored(v) ? "the scope is new, and a restored cluster lies here"
                                      : "the scope is new and this member may bootstrap it",
                .actions = {RaceInitialize{}}};
}

namespace {

Nanos recover_again(const Job& job) {
    return recover_again_after * std::min(job.failures, recover_again_at_most);
}

/// What the last attempt ended with, and when the next one may begin; nullopt: none failed.
RuleResult recovery_failed(const View& v) {
    const auto& job = v.local.job;
    if (job.kind != JobKind::start || job.running || job.failures == 0) {
        return std::nullopt;
    }
    if (!is_restored(v)) {
        return gave_up_starting(job)
                   ? RuleResult(Plan{.why = "bootstrap failed: " + job.error, .actions = {Halt{}}})
                   : std::nullopt;
    }
    const auto when = job.since + recover_again(job);
    if (v.now >= when) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("the restored cluster was not recovered to {}, so this scope is "
                                   "not initialized; trying again in {}; {}",
                                   v.local.restored->target, seconds_text(when - v.now), job.error),
                .wake = when};
}

}  // namespace

/// What initdb makes is worth nothing beside what a restore brought: whoever comes first.
RuleResult rule::yield_to_restored(const View& v) {
    const auto made_here = v.local.data_dir == DataDir::empty || v.local.bootstrap_begun;
    if (!v.self.won_initialize || v.tenure || v.claim_unresolved || v.local.postmaster ||
        v.local.restored || !made_here || !v.cluster->record.absent() ||
        brings_restored(v) == nullptr) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("{} brings a restored cluster: it begins the scope",
                                   brings_restored(v)->name),
                .actions = {YieldBootstrap{}}};
}

RuleResult rule::bootstrap(const View& v) {
    if (!v.self.won_initialize || v.tenure || v.claim_unresolved) {
        return std::nullopt;
    }
    if (v.local.job.kind == JobKind::initdb && v.local.job.failures > 0) {
        return Plan{.why = "bootstrap failed: " + v.local.job.error, .actions = {Halt{}}};
    }
    // Its own may say more than this run knows: the answer to its last word got lost.
    const auto* record = record_of(v);
    const auto own = record != nullptr && record->holder == v.self.uuid;
    if (!v.cluster->record.absent() && !own) {
        return Plan{.why = "another member has begun to bootstrap this scope meanwhile",
                    .actions = {Halt{}}};
    }
    if (v.local.data_dir == DataDir::empty) {
        return Plan{.why = "creating a new cluster", .actions = {Initialize{}}};
    }
    if (auto failed = recovery_failed(v)) {
        return failed;
    }
    if (is_restored(v) && !v.local.bootstrap_begun) {
        return Plan{.why = fmt::format("a restored cluster is to be recovered to {}",
                                       v.local.restored->target),
                    .actions = {AdoptRestored{}}};
    }
    if (own && record->state != RecordState::released && v.now < wait_ends(v)) {
        return Plan{.why = "an earlier run of this agent may still hold the record",
                    .wake = wait_ends(v)};
    }
    return Plan{
        .why = is_restored(v) ? "a restored cluster lies here" : "a new cluster was created here",
        .actions = {ClaimRecord{}}};
}

namespace {

/// Whom to compare with, and to rewind or clone from: a store that may have gone back names nobody.
std::optional<Upstream> source_of(const View& v) {
    return v.now < v.memory.noticed.suspect_until ? std::nullopt : upstream_of(v);
}

/// The holder has said, for this very order, that no commit counts on what is here (N7). A primary
/// of Patroni's says no such thing; its `/sync` does.
bool is_not_counted(const View& v) {
    const auto* record = record_of(v);
    if (record == nullptr) {
        return true;
    }
    return std::ranges::any_of(v.peers.standings, [&](const Standing& s) {
        return s.uuid == record->holder && s.holds && v.peers.asked >= v.standby_order->asked &&
               std::ranges::find(s.not_counted, v.standby_order->id) != s.not_counted.end();
    });
}

Plan ask_not_to_be_counted(const View& v) {
    if (v.now >= v.standby_order->asked + leave_sync_set_within) {
        return Plan{.why =
                        "no new copy: the primary did not confirm that no commit counts on this "
                        "standby",
                    .actions = {EndStandbyOrder{}}};
    }
    if (v.peers.asked.never() || v.now >= v.peers.asked + ask_primary_every) {
        return Plan{.why = "leaving the sync set before the new copy",
                    .actions = {AskPeers{.about_revision = v.cluster->record.revision,
                                         .limit = ask_primary_limit}}};
    }
    return Plan{.why = "leaving the sync set before the new copy",
                .wake = v.peers.asked + ask_primary_every};
}

}  // namespace

/// An operator's order to a member that does not lead. Its copy comes from a primary that does, in
/// a term that no member here disputes (P3).
RuleResult rule::obey(const View& v) {
    if (!v.standby_order || v.tenure || v.claim_unresolved || v.self.won_initialize) {
        return std::nullopt;
    }
    if (v.standby_order->what == StandbyOrder::What::restart) {
        auto memory = v.memory;
        memory.decided.start_again = true;
        return v.local.postmaster ? Plan{.why = "stopping for a restart",
                                         .actions = {Stop{}, EndStandbyOrder{}},
                                         .memory = memory}
                                  : Plan{.why = "it is down already",
                                         .actions = {EndStandbyOrder{}},
                                         .memory = memory};
    }
    const auto leader = source_of(v);
    if (!leader || !v.cluster_fresh || v.local.data_dir != DataDir::initialized) {
        return Plan{.why = "nothing to reinitialize, or no primary is known to copy from",
                    .actions = {EndStandbyOrder{}}};
    }
    if (!is_not_counted(v)) {
        return ask_not_to_be_counted(v);
    }
    if (v.local.postmaster) {
        return Plan{.why = "stopping, to be copied anew", .actions = {Stop{.immediate = true}}};
    }
    return Plan{.why = fmt::format("an operator wants a new copy of {}", leader->name),
                .actions = {Reinitialize{*leader}, EndStandbyOrder{}}};
}

/// What Patroni left running could never be promoted here.
RuleResult rule::put_under_a_fencer(const View& v) {
    if (!v.local.unfenced || v.settings.pause || v.local.role != Role::standby ||
        !v.local.accepting || v.tenure || v.claim_unresolved) {
        return std::nullopt;
    }
    return Plan{.why = "this standby runs without a fencer: stopping it, to start it with one",
                .actions = {Stop{}}};
}

RuleResult rule::refuse_adoption(const View& v) {
    if (v.local.data_dir != DataDir::initialized || !new_scope(v) || v.self.won_initialize ||
        v.recover) {
        return std::nullopt;
    }
    return Plan{.why =
                    "the data directory holds a cluster, but the scope is new: move the directory "
                    "away to let this member join; if the store lost its data, run `howdah dcs "
                    "recover`; a new cluster begins with an empty directory, or with one that "
                    "`howdah restore` made and nobody has started (it has a recovery.signal)"};
}

RuleResult rule::clone(const View& v) {
    if (v.local.data_dir != DataDir::empty) {
        return std::nullopt;
    }
    const auto leader = source_of(v);
    if (!leader) {
        return Plan{.why = v.cluster && v.cluster->initialize ? "waiting for a primary to copy"
                           : v.cluster && brings_restored(v) != nullptr
                               ? fmt::format("waiting for {}, which brings a restored cluster",
                                             brings_restored(v)->name)
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
RuleResult rule::recover_in_place(const View& v) {
    const auto* record = record_of(v);
    const bool restarts = is_handed_to_self(v);
    const bool crashed = record != nullptr && !v.self.nofailover && !was_stopped_by_hand(v) &&
                         (record->state == RecordState::released ||
                          (record->state == RecordState::primary && v.settings.pause));
    if (record == nullptr || !(restarts || crashed) || record->holder != v.self.uuid ||
        record->promoted.uuid != v.self.uuid || !postgres_is_down(v) || v.tenure ||
        v.claim_unresolved || promise_stands(v) || v.now < v.memory.noticed.suspect_until ||
        lost_sync_set(v) || patroni_led_since(v) || (lacks_held_wal(v) && !accepts_loss(v))) {
        return std::nullopt;
    }
    if (gave_up_starting(v.local.job)) {
        return std::nullopt;
    }
    if (restarts) {
        return Plan{.why = fmt::format("stopped at {} for a restart", record->lsn.text()),
                    .actions = {ClaimRecord{}}};
    }
    const auto others_first = sickness(v.local, v.now).empty() ? Nanos{} : sick_comes_last;
    const auto when = v.memory.noticed.record_first_seen + v.settings.recover_after + others_first;
    // The store may have gone back since: an agent that stood still meanwhile can't know it (N8).
    if (!asked_about_this_version(v) ||
        (v.peers.complete && veto(v) && v.now > v.peers.asked + ask_again_after)) {
        return Plan{.why = "released; is nobody further?",
                    .actions = {AskPeers{.about_revision = v.cluster->record.revision,
                                         .limit = quick_round}}};
    }
    if (v.now < when || !v.peers.complete) {
        return Plan{.why = "released; another member may take over", .wake = std::max(when, v.now)};
    }
    if (const auto no = veto(v)) {
        return Plan{.why = "no recovery in place: " + no->why,
                    .wake = v.peers.asked + ask_again_after};
    }
    return Plan{
        .why = fmt::format("nobody took over within {} ms", v.settings.recover_after.count()),
        .actions = {ClaimRecord{}}};
}

RuleResult rule::check_divergence(const View& v) {
    const auto leader = source_of(v);
    if (!leader || v.local.data_dir != DataDir::initialized || v.local.needs_rewind) {
        return std::nullopt;
    }
    const auto epoch = leader_term(v);
    const auto unchecked = v.memory.decided.checked_epoch != epoch &&
                           v.now >= v.memory.noticed.checked_at + check_again_after;
    // A running standby finds its way alone as long as its WAL ends before the branch. A leader
    // that does not renew is not asked: waiting for its answer would delay the claim.
    const auto renewed =
        v.now < v.memory.noticed.record_first_seen + v.settings.lease.renewal_overdue();
    const auto astray =
        renewed && v.local.following == leader && !v.local.streaming_from_following &&
        v.now >= v.memory.noticed.checked_at + (unchecked ? check_again_after : check_astray_every);
    if (v.local.postmaster ? !astray : !unchecked) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.decided.checked_epoch = epoch;
    memory.noticed.checked_at = v.now;
    return Plan{.why = fmt::format("does the history here agree with that of {}?", leader->name),
                .actions = {CheckDivergence{*leader}},
                .memory = memory,
                .wake = v.now + check_again_after};
}

RuleResult rule::rewind(const View& v) {
    const auto leader = source_of(v);
    if (!leader || !v.local.needs_rewind) {
        return std::nullopt;
    }
    if (v.local.postmaster) {
        return Plan{.why = fmt::format("it can't follow {}: stop, then rewind; {}", leader->name,
                                       v.local.rewind_why),
                    .actions = {Stop{}}};
    }
    if (backing_off(v, JobKind::rewind, retry_after)) {
        return Plan{.why = "rewind failed: " + v.local.job.error,
                    .wake = v.local.job.since + retry_after};
    }
    return Plan{.why = fmt::format("it can't follow {}: {}", leader->name, v.local.rewind_why),
                .actions = {Rewind{*leader}}};
}

namespace {

/// A new primary is on its way; starting now could copy WAL that it then has to lose. One that
/// was sealed starts: the claimer may need it. So does everybody once it shows its timeline: in
/// strict mode it waits for its standbys.
bool leader_is_coming(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr && record->holder != v.self.uuid && !may_be_followed(*record) &&
           (record->state == RecordState::claimed || record->state == RecordState::released) &&
           record->epoch != v.self.stored_epoch && v.now < wait_ends(v);
}

bool handed_over_recently(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr && record->state == RecordState::handover &&
           record->holder == v.self.uuid && v.now < wait_ends(v);
}

/// It handed over to itself, and the copy of the store does not show that yet.
bool about_to_claim(const View& v) {
    const auto* record = record_of(v);
    return v.now < v.memory.decided.restarts_until && record != nullptr &&
           record->holder == v.self.uuid && record->state == RecordState::primary;
}

/// This run gave its term up, and the copy of the store does not show that yet: what is done next
/// depends on who takes over.
bool just_left(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr && record->holder == v.self.uuid &&
           record->epoch == v.memory.decided.left_epoch && record->state != RecordState::released &&
           record->state != RecordState::handover && v.now < v.memory.decided.left_at + seen_within;
}

}  // namespace

RuleResult rule::start_standby(const View& v) {
    if (v.local.postmaster || v.local.data_dir != DataDir::initialized || v.tenure ||
        v.claim_unresolved || v.self.won_initialize) {
        return std::nullopt;
    }
    if (was_stopped_by_hand(v)) {
        return Plan{.why =
                        "the cluster is paused, and PostgreSQL was stopped here in order: resume, "
                        "restart or pg_ctl start it"};
    }
    if (just_left(v)) {
        return Plan{.why = "the store does not show yet that this member gave the record up",
                    .wake = v.now + poll};
    }
    if (about_to_claim(v)) {
        return Plan{.why = "stopped for a restart", .wake = v.memory.decided.restarts_until};
    }
    if (leader_is_coming(v) || handed_over_recently(v)) {
        return Plan{.why = "waiting for the next primary before starting", .wake = wait_ends(v)};
    }
    if (backing_off(v, JobKind::start, retry_after)) {
        return Plan{.why = "PostgreSQL does not start: " + v.local.job.error,
                    .wake = v.local.job.since + retry_after};
    }
    const auto leader = upstream_of(v);
    if (leader && v.memory.decided.checked_epoch != leader_term(v) && v.now < wait_ends(v)) {
        return Plan{.why = fmt::format("waiting for {} to tell its history", leader->name),
                    .wake = v.memory.noticed.checked_at + check_again_after};
    }
    return Plan{.why = leader ? fmt::format("start as a standby of {}", leader->name)
                              : "start as a standby without a primary to follow",
                .actions = {StartStandby{leader}}};
}

RuleResult rule::follow(const View& v) {
    const auto leader = upstream_of(v);
    if (!leader || v.local.role != Role::standby || !v.local.postmaster ||
        v.local.following == leader || v.tenure) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("{} leads now", leader->name), .actions = {Follow{*leader}}};
}

}  // namespace howdah::ha
