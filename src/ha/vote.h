#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ha/cluster.h"
#include "ha/record.h"
#include "pg/lsn.h"

namespace howdah::ha {

/// Where a timeline branched off, from the text of its history file; 0 for timeline 1.
pg::Lsn branch_point(const std::string& history_file);

/// How far WAL follows the cluster's history.
struct Place {
    Epoch epoch = 0;  ///< the greatest known epoch whose timeline is in its history; 0: none
    /// `timeline` is the one that this epoch opened.
    bool opened = false;
    /// Where it left that epoch's timeline for a newer one than any epoch is known to have opened
    /// (a promotion by hand, or one that was cut off unseen): what lies beyond was never
    /// acknowledged. nullopt: it did not.
    std::optional<pg::Lsn> left_at{};
    bool operator==(const Place&) const = default;
};
/// Of WAL that ends on `timeline`.
Place place_of(const std::vector<EpochStart>& known, pg::Timeline timeline,
               const std::string& history_file);

/// No member gets further ahead of another by itself: `dcs recover` leaps by 2^32 over what a
/// missing member may hold, and some ordinary terms may lie between.
constexpr Epoch longest_leap = (Epoch{1} << 32U) + (Epoch{1} << 20U);
/// Far above `known`: nobody's epoch, and storing it would leave none above it (N14).
constexpr bool leaps_too_far(Epoch asked, Epoch known) {
    return asked > known && asked - known > longest_leap;
}

/// A claimer's demand to stop receiving from any primary of a lower epoch, for good
/// (section 5, step 2).
struct SealRequest {
    Epoch epoch = 0;
    Uuid incarnation{};  ///< of the claimer's run
    Uuid uuid{};         ///< the claimer
    std::string name{};
    bool operator==(const SealRequest&) const = default;
};
std::string render(const SealRequest& request);
/// Errors: Errc::corrupt.
Result<SealRequest> parse_seal_request(const std::string& json);

/// A member's answer. Only a sealed one counts; the others say why not.
struct Vote {
    Uuid uuid{};
    std::string name{};
    bool sealed = false;
    std::string refused{};   ///< why it is not sealed
    Epoch stored_epoch = 0;  ///< greater than the claimer's: the claimer gives up (L8)
    /// The claimer that `stored_epoch` is stored for. For another one in the same epoch (both asked
    /// while the record was lost) the claimer gives up as well: it never gets this seal.
    Uuid stored_incarnation{};
    std::uint64_t sync_version = 0, set_version = 0;  ///< of the newest record that it has seen
    std::optional<Record> seen{};  ///< that record, where the store shows an older one or none
    bool may_lead = false;
    /// It has held more WAL than it holds now (HeldWal): what it acknowledged may be missing.
    bool lacks = false;
    Epoch history_epoch = 0;
    pg::Timeline timeline = 0;
    bool opened = true;     ///< as far as it knows, history_epoch opened that timeline
    std::string history{};  ///< text of that timeline's history file; empty for the first
    pg::Lsn flushed{};
    bool operator==(const Vote&) const = default;
};
std::string render(const Vote& vote);
/// Errors: Errc::corrupt.
Result<Vote> parse_vote(const std::string& json);

/// Ranks the votes by what the claimer and all voters know together: an agent that slept while its
/// PostgreSQL followed a promotion by itself takes its own WAL for that of an earlier epoch. WAL of
/// a timeline that no epoch opened counts up to where it left the history, and its member can't
/// lead.
void rank(std::vector<Vote>& votes, std::vector<EpochStart> known);

/// The record that `claimer` writes where the store lost it, from the last one that it saw. A
/// promotion that only others saw, or that committed unseen, is in the claimer's WAL, for its vote
/// is not behind any other: `promoted` is brought up to it, so that nobody with less claims later.
std::optional<Record> revived(std::optional<Record> seen, const std::vector<Vote>& votes,
                              const Uuid& claimer);

/// Has more of the cluster's history: (history epoch, LSN). LSN alone would prefer the longer WAL
/// of a primary that was deposed.
bool ahead(const Vote& a, const Vote& b);

}  // namespace howdah::ha
