#pragma once

// Words that the rules of decide() share. Not for other folders.

#include <optional>

#include "ha/decide.h"

namespace howdah::ha {

using RuleResult = std::optional<Plan>;

struct Rule {
    std::string_view name;
    RuleResult (*apply)(const View&);
};

/// Safety first: what must not run, and what must be told before anything else.
std::vector<Rule> fencing_rules();
/// A primary that lives and can't do its work.
std::vector<Rule> health_rules();
/// What a claimer proves before it may become writable: seal, collect, choose.
std::vector<Rule> vote_rules();
/// What the holder of the record does.
std::vector<Rule> holder_rules();
/// Sync set and synchronous_standby_names of a primary, one safe step at a time.
std::vector<Rule> sync_rules();
/// Who may claim after this holder, and who is told.
std::vector<Rule> claimer_rules();
/// Data directory and following: bootstrap, clone, rewind, start, follow.
std::vector<Rule> data_rules();
/// The leader record vanished from an initialized scope.
std::vector<Rule> lost_record_rules();
/// What was a Patroni cluster goes on as Howdah's.
std::vector<Rule> adoption_rules();
/// Who claims the record, and when.
std::vector<Rule> candidate_rules();

/// Why this member may not claim at all; empty when it may. The scope has a record.
std::vector<std::string> ineligibilities(const View& v);
/// A term that can still keep a primary writable (I2, L9): before deadline - F.
bool may_stay_writable(const View& v);
/// The record, unless it is absent, not understood or foreign.
const Record* record_of(const View& v);
/// The primary that endpoints may use and standbys follow; nullopt: none, or it is this member.
std::optional<Upstream> upstream_of(const View& v);
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
