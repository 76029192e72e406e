#pragma once

// Words that the rules of decide() share. Not for other folders.

#include <optional>

#include "ha/decide.h"

namespace howdah::ha {

using RuleResult = std::optional<Plan>;

/// While WAL, answers or the store's word are on their way.
constexpr Millis poll{20};
/// So soon the copy of the store shows what this member wrote, unless the store is silent.
constexpr Nanos seen_within = Seconds(2);

/// The rules of decide(), which has them in their order. One answers nullopt where it does not
/// apply.
namespace rule {

// rules_fencing.cpp
RuleResult take_over(const View& v);
RuleResult fence_without_term(const View& v);
RuleResult stop_before_deadline(const View& v);

// rules_health.cpp
RuleResult let_term_end(const View& v);
RuleResult leave_sick_primary(const View& v);
RuleResult look_for_a_healthy_one(const View& v);

// rules_stop.cpp
RuleResult abandon_stop(const View& v);
RuleResult cut_stop_short(const View& v);
RuleResult end_stop_by_force(const View& v);
RuleResult ask_for_the_end(const View& v);

// rules_vote.cpp
RuleResult give_up_outdated_claim(const View& v);
RuleResult give_up_fruitless_claim(const View& v);
RuleResult give_up_unanswering_server(const View& v);
RuleResult seal(const View& v);
RuleResult yield_to_better(const View& v);
RuleResult prepare_standby_names(const View& v);

// rules_claimers.cpp
RuleResult admit_claimer(const View& v);
RuleResult dismiss_claimer(const View& v);
RuleResult list_failsafe(const View& v);

// rules_sync.cpp
RuleResult end_impostor(const View& v);
RuleResult show_timeline(const View& v);
RuleResult forget_standby_names(const View& v);
RuleResult change_sync_set(const View& v);
RuleResult wait_for_barrier(const View& v);

// rules_holder.cpp
RuleResult hand_over(const View& v);
RuleResult report_death(const View& v);
RuleResult recover_restored(const View& v);
RuleResult start_in_place(const View& v);
RuleResult give_back(const View& v);
RuleResult reserve_timeline(const View& v);
RuleResult promote(const View& v);
RuleResult refuse_to_lead_a_standby_cluster(const View& v);
RuleResult finish_bootstrap(const View& v);
RuleResult mark_primary(const View& v);
RuleResult switch_over(const View& v);
RuleResult drop_stale_switchover(const View& v);
RuleResult restore_scope(const View& v);
RuleResult lead(const View& v);

// rules_data.cpp
RuleResult wait_for_store(const View& v);
RuleResult refuse_newer_format(const View& v);
RuleResult wait_for_job(const View& v);
RuleResult wait_for_death(const View& v);
RuleResult refuse_broken_directory(const View& v);
RuleResult refuse_other_cluster(const View& v);
RuleResult resume_bootstrap(const View& v);
RuleResult wait_with_restored(const View& v);
RuleResult race_initialize(const View& v);
RuleResult yield_to_restored(const View& v);
RuleResult bootstrap(const View& v);
RuleResult refuse_adoption(const View& v);
RuleResult obey(const View& v);
RuleResult put_under_a_fencer(const View& v);
RuleResult clone(const View& v);
RuleResult recover_in_place(const View& v);
RuleResult follow(const View& v);
RuleResult check_divergence(const View& v);
RuleResult rewind(const View& v);
RuleResult start_standby(const View& v);

// rules_lost_record.cpp
RuleResult claim_lost_record(const View& v);

// rules_adopt.cpp
RuleResult take_over_from_patroni(const View& v);

// rules_candidate.cpp
RuleResult stay_out(const View& v);
RuleResult claim_handover(const View& v);
RuleResult claim_released(const View& v);
RuleResult claim_after_wait(const View& v);
RuleResult stand_by(const View& v);

}  // namespace rule

/// Why this member may not claim at all; empty when it may. The scope has a record.
std::vector<std::string> ineligibilities(const View& v);
/// A term that can still keep a primary writable (I2, L9): before deadline - F.
bool may_stay_writable(const View& v);
/// The record, unless it is absent, not understood or foreign.
const Record* record_of(const View& v);
/// The primary that endpoints may use and standbys follow; nullopt: none, or it is this member.
std::optional<Upstream> upstream_of(const View& v);
/// Where a member's PostgreSQL answers; nullopt: it does not say.
std::optional<Upstream> upstream_at(const Member& member);
/// A Patroni term came after the record (M2, M4): seen here, or told by a promotion in `/history`
/// that the record does not know. Neither the record's LSN nor its `promoted` proves anything then.
bool patroni_led_since(const View& v);
/// What tells the term of upstream_of() from others: the record's epoch, or Patroni's key's
/// revision.
Epoch leader_term(const View& v);
/// `/failsafe` as Patroni reads it: name -> api_url of exactly these. nullopt while one of them has
/// no member key.
std::optional<std::string> failsafe_document(const std::vector<Uuid>& claimers,
                                             const std::vector<Member>& members);
/// The first claimer without a member key; empty: all have one, or this member does not lead.
Uuid missing_claimer(const View& v);
/// The store went back behind a sync set that this member knows: its voters may hold commits that
/// those of the older set do not.
bool lost_sync_set(const View& v);
/// The data directory holds less WAL than this member has held before: somebody may have put an
/// older copy in its place.
bool lacks_held_wal(const View& v);
/// Why the answers of the others forbid a claim.
struct Veto {
    std::string why{};
    Epoch above = 0;  ///< L12: an epoch that the store should know; 0: it's not about that
};
std::optional<Veto> veto(const View& v);
/// The last round of questions was about the version of the record that the store shows now.
bool asked_about_this_version(const View& v);
/// A last question before a claim that nobody waits for.
inline constexpr Millis quick_round{50};

/// The cluster is paused and this member led it last: its primary is left running, term or not, and
/// nobody else may claim (N13).
bool is_left_running(const View& v);
/// The cluster is paused, and an operator ended PostgreSQL here in order: it is not started (N13).
bool was_stopped_by_hand(const View& v);
/// An operator gave up what others may hold, for the record that stands (N5).
bool accepts_loss(const View& v);
/// The command by which an operator ends a wait for what may never come (N15).
std::string way_out(const View& v);
/// Before then nobody claims who was not told to.
Instant wait_ends(const View& v);
/// This member promised the holder not to claim, and the time has not run out.
bool promise_stands(const View& v);
bool postgres_is_down(const View& v);
bool holds_as(const View& v, RecordState state);
/// The record is handed over to this member: in a switchover, or by itself for a restart.
bool is_handed_to_self(const View& v);
/// The record's sync set binds this claimer, and not enough has been proven for it yet. Promotion
/// and recovery in place wait for it.
bool votes_missing(const View& v);
/// Writable, be it before the sync barrier: sync set and claimers may change.
bool runs_as_primary(const View& v);
/// The standbys that must hold the first WAL of this primary do; endpoints may open.
bool barrier_passed(const View& v);
/// True for `pause` after the last of this job's failures, so that nothing is tried in a tight
/// loop.
bool backing_off(const View& v, JobKind kind, Nanos pause);
/// Seconds with one digit, for sentences.
std::string seconds_text(Nanos t);

}  // namespace howdah::ha
