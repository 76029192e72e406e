#include <fmt/format.h>

#include <algorithm>

#include "ha/rules.h"

// The scope is initialized, but its `howdah` key is gone: somebody deleted it, or the store lost
// it. Nothing proves that no holder is left, so all who may have one are sealed first (L6).

namespace howdah::ha {

namespace {

/// Members try one after the other: seals of two at once would outbid each other for ever.
constexpr Nanos turn_lasts = Seconds(2);
constexpr Epoch beyond_missing = Epoch{1} << 32U;

bool record_is_lost(const View& v) {
    // With `/initialize` gone too the store may be another one: only an operator knows.
    const auto ours =
        (v.cluster && v.cluster->initialize && !v.cluster->initialize->empty()) || v.recover;
    return v.cluster && v.cluster_fresh && v.cluster->record.absent() && v.cluster->record.bare() &&
           ours && (v.self.stored_epoch > 0 || v.last_record) && !v.tenure && !v.claim_unresolved;
}

bool can_lead(const View& v) {
    return v.local.role == Role::standby && v.local.accepting && !v.local.job.running &&
           !v.self.nofailover && !promise_stands(v) && !v.settings.pause && !v.local.needs_rewind &&
           v.now >= v.memory.noticed.suspect_until;
}

/// Who may have led, or may hold what nobody else has: claimers and voters of the last record.
std::vector<Voter> known_members(const View& v) {
    auto known = v.last_record->sync.voters;
    for (const auto& uuid : v.last_record->claimers) {
        if (v.last_record->sync.voter(uuid) == nullptr) {
            const auto led = uuid == v.last_record->holder && !v.last_record->holder_name.empty();
            known.push_back(
                {.uuid = uuid, .name = led ? v.last_record->holder_name : shown(v.names, uuid)});
        }
    }
    return known;
}

bool given_up(const View& v, const Voter& member) {
    const auto& missing = v.recover ? v.recover->missing : std::vector<std::string>{};
    return std::any_of(missing.begin(), missing.end(), [&](const std::string& name) {
        return name == member.name || name == member.uuid;
    });
}

/// Above every epoch that an answer has shown, and far above those that a missing member may hold.
Epoch next_epoch(const View& v) {
    auto epoch = std::max(v.self.stored_epoch, v.last_record ? v.last_record->epoch : 0);
    for (const auto& vote : v.votes.votes) {
        if (!vote.sealed) {
            epoch = std::max(epoch, vote.stored_epoch);
        }
    }
    return epoch + 1 + (v.recover && !v.recover->missing.empty() ? beyond_missing : 0);
}

const Vote* vote_of(const View& v, const Uuid& uuid) {
    const auto& all = v.votes.votes;
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Vote& vote) { return vote.uuid == uuid; });
    return found == all.end() || !found->sealed ? nullptr : &*found;
}

/// Who is missing, or has more than this member; empty: this one may claim.
std::string missing(const View& v) {
    const auto* own = vote_of(v, v.self.uuid);
    if (own == nullptr) {
        return "the own seal";
    }
    for (const auto& member : known_members(v)) {
        const auto* vote = vote_of(v, member.uuid);
        // One that is back counts, whatever was thought of it.
        if (vote == nullptr && given_up(v, member)) {
            continue;
        }
        if (vote == nullptr) {
            return fmt::format("the seal of {}", member.name);
        }
        if (vote->lacks && !given_up(v, member)) {
            return fmt::format("the WAL that {} held and holds no more", vote->name);
        }
        if (vote->sync_version > v.last_record->sync_version ||
            vote->set_version > v.last_record->set_version) {
            return fmt::format("what {} has seen of a later record", vote->name);
        }
        const auto tie = !ahead(*own, *vote) && !ahead(*vote, *own);
        if (vote != own && vote->may_lead &&
            (ahead(*vote, *own) || (tie && vote->uuid < own->uuid))) {
            return fmt::format("a claim of {}, which goes first", vote->name);
        }
    }
    return {};
}

/// When this member's turn began, if it is on; else when the next one begins.
Instant next_turn(const View& v, Instant first) {
    auto uuids = v.last_record->claimers;
    std::sort(uuids.begin(), uuids.end());
    const auto own = std::find(uuids.begin(), uuids.end(), v.self.uuid) - uuids.begin();
    const auto turns = std::max<Nanos::rep>(std::ssize(uuids), own + 1);
    const auto now = (v.now - first) / turn_lasts;
    const auto wait = (own - now % turns + turns) % turns;
    return first + (now + wait) * turn_lasts;
}

}  // namespace

RuleResult rule::claim_lost_record(const View& v) {
    if (!record_is_lost(v) || !can_lead(v)) {
        return std::nullopt;
    }
    if (v.settings.standby_cluster) {
        return Plan{.why = fmt::format("the leader record is gone: {}", standby_cluster_refused)};
    }
    if (!v.last_record) {
        return Plan{.why =
                        "the leader record is gone from the store, and this member never saw "
                        "one: `howdah dcs recover` on another member writes it anew"};
    }
    const auto free_at = wait_ends(v);
    if (v.now < free_at) {
        return Plan{.why = fmt::format("the leader record is gone from the store; its holder may "
                                       "still lead for {}",
                                       seconds_text(free_at - v.now)),
                    .wake = free_at};
    }
    const auto turn = next_turn(v, free_at);
    if (v.now < turn) {
        return Plan{.why =
                        "the leader record is gone from the store; another member tries to "
                        "claim it first",
                    .wake = turn};
    }
    const auto asked = v.votes.asked >= turn;
    if (asked && !v.votes.complete) {
        return Plan{.why = "the leader record is gone from the store: sealing every member"};
    }
    if (asked && missing(v).empty()) {
        return Plan{.why =
                        "the leader record is gone from the store; every member that may have "
                        "led is sealed",
                    .actions = {ClaimRecord{}}};
    }
    if (asked) {
        return Plan{.why = fmt::format("the leader record is gone from the store; no claim without "
                                       "{} (`howdah dcs recover` overrides)",
                                       missing(v)),
                    .wake = turn + turn_lasts};
    }
    return Plan{.why = "the leader record is gone from the store: sealing every member",
                .actions = {Seal{.epoch = next_epoch(v), .voters = known_members(v)}}};
}

bool lost_sync_set(const View& v) {
    const auto* record = record_of(v);
    return record != nullptr && v.last_record && is_older(*record, *v.last_record) &&
           v.last_record->sync.mode != SyncMode::off;
}

}  // namespace howdah::ha
