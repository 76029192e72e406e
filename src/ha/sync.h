#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "pg/lsn.h"

namespace howdah::ha {

/// `synchronous_mode` of patroni-compatibility.md 1.11.
enum class SyncMode : std::uint8_t { off, on, quorum };
std::string_view name_of(SyncMode mode);

/// A standby whose word counts when the next primary is chosen. The uuid is who it is; the name is
/// what PostgreSQL and Patroni's tools call it.
struct Voter {
    std::string uuid{};
    std::string name{};
    bool operator==(const Voter&) const = default;
};

/// The published sync set (safety-model.md, section 5): any `votes_needed()` of its voters hold,
/// between them, every acknowledged commit. Part of the record, so that one transaction changes
/// both; `/sync` shows the same to Patroni's tools.
struct SyncSet {
    SyncMode mode = SyncMode::off;
    bool strict = false;
    std::vector<Voter> voters{};  ///< n; sorted by name
    int copies = 0;               ///< k: so many voters hold each acknowledged commit
    bool operator==(const SyncSet&) const = default;

    bool empty() const { return copies <= 0 || voters.empty(); }
    /// n - k + 1; 0 for an empty set.
    int votes_needed() const { return empty() ? 0 : static_cast<int>(voters.size()) - copies + 1; }
    const Voter* voter(std::string_view uuid) const;
};

/// What `synchronous_standby_names` says, in a form that can be reasoned about.
struct StandbyNames {
    SyncMode mode = SyncMode::off;     ///< quorum: ANY; on: all that are named
    std::vector<std::string> names{};  ///< sorted
    int wait_for = 0;                  ///< commits wait for so many of them
    bool blocked = false;              ///< a name that nobody bears: no commit is acknowledged
    bool operator==(const StandbyNames&) const = default;

    bool none() const { return !blocked && wait_for == 0; }
};

/// Text as Patroni writes it (patroni-compatibility.md 10.2); empty: commits wait for nobody.
std::string render(const StandbyNames& names);
/// Reads what render() writes, and what an operator may have written: `*`, FIRST, ANY, plain lists.
/// `*` and FIRST k of more than k names promise nothing that a set could be published for: they
/// read as waiting for nobody known. Errors: Errc::invalid.
Result<StandbyNames> parse_standby_names(const std::string& text);

/// Patroni's document for `/sync` (2.6). In plain mode it lists only standbys that hold every
/// acknowledged commit, which while a change is under way may be none.
std::string sync_document(const SyncSet& set, const std::string& leader_name);

/// What PostgreSQL has to wait for when this voter (or a stranger to the set) becomes primary, so
/// that the published set stays true: the new primary is itself one of the copies.
StandbyNames names_at_promotion(const SyncSet& published, const std::string& own_uuid);

/// One step of a change of the sync set. Each step leaves published set and setting intersecting
/// (invariant I7), so a crash between two steps is harmless.
struct SyncStep {
    enum class Kind : std::uint8_t {
        none,     ///< published and setting are as wanted
        publish,  ///< write `set` into the record
        set,      ///< change PostgreSQL's setting to `names` and see it take effect
        wait,     ///< until `names.wait_for` of the named hold everything up to the barrier
    };
    Kind kind = Kind::none;
    SyncSet set{};
    StandbyNames names{};
    bool operator==(const SyncStep&) const = default;
};

/// `effective` is what PostgreSQL does now, `wanted` what it shall do; `wanted_voters` are the
/// members behind wanted.names. `caught_up(names)`: so many of these hold all that could have been
/// acknowledged before `effective` came into force.
struct SyncChange {
    SyncSet published{};
    StandbyNames effective{};
    StandbyNames wanted{};
    std::vector<Voter> wanted_voters{};
    bool strict = false;
    std::string own_uuid{};
    int caught_up = 0;
    int caught_up_in_force = -1;  ///< the same of those behind `effective`; -1: not known
};
SyncStep next_step(const SyncChange& change);

}  // namespace howdah::ha
