#pragma once

// Rules broken on purpose, so that the simulation can show that it would notice
// (docs/simulation.md). They exist in a second compilation of the same sources alone: in the
// product HD_MUTANT() is the constant false, and nothing of them is left in its object code.

#ifdef HOWDAH_MUTANTS

#include <cstdint>

namespace howdah {

enum class Mutant : std::uint8_t {
    none,
    keepalive_as_proof,
    deadline_from_response,
    no_wait,
    no_seal,
    lsn_without_epoch,
    release_before_reap,
    no_epoch_fsync,
    sync_set_published_late,
    no_barrier,
    trust_in_the_name,
    system_id_ignored,
    endpoint_without_deadline,
    majority_of_promises,
    non_members_claim,
    set_without_union,
    term_after_handover,
    vouch_of_full_ttl,
    answers_without_round,
    promise_not_kept,
    timeline_not_unique,
    astray_counts,
    names_of_an_earlier_role,
    claim_never_given_up,
    hearsay_forgotten,
};

/// The one that is on, of this process.
inline Mutant active_mutant = Mutant::none;

}  // namespace howdah

#define HD_MUTANT(name) (::howdah::active_mutant == ::howdah::Mutant::name)

#else

#define HD_MUTANT(name) false

#endif
