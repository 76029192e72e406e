#include "ha/vote.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/mutant.h"

namespace howdah::ha {

pg::Lsn branch_point(const std::string& history_file) {
    const auto rows = history_rows(history_file);
    return rows.empty() ? pg::Lsn{} : rows.back().switch_lsn;
}

namespace {

/// Timelines from the first to the last, with where each began.
std::vector<std::pair<pg::Timeline, pg::Lsn>> path_of(pg::Timeline timeline,
                                                      const std::string& history_file) {
    std::vector<std::pair<pg::Timeline, pg::Lsn>> path;
    pg::Lsn begin{};
    for (const auto& row : history_rows(history_file)) {
        path.emplace_back(row.parent, begin);
        begin = row.switch_lsn;
    }
    path.emplace_back(timeline, begin);
    return path;
}

/// The greatest epoch that opened this timeline there; 0: none is known.
Epoch opener(const std::vector<EpochStart>& known, std::pair<pg::Timeline, pg::Lsn> at) {
    Epoch epoch = 0;
    for (const auto& start : known) {
        if (std::pair(start.timeline, start.begin) == at) {
            epoch = std::max(epoch, start.epoch);
        }
    }
    return epoch;
}

}  // namespace

Place place_of(const std::vector<EpochStart>& known, pg::Timeline timeline,
               const std::string& history_file) {
    pg::Timeline newest = 0;
    for (const auto& start : known) {
        newest = std::max(newest, start.timeline);
    }
    Place place;
    for (const auto& at : path_of(timeline, history_file)) {
        const auto epoch = opener(known, at);
        place.epoch = std::max(place.epoch, epoch);
        place.opened = epoch != 0;
        if (epoch == 0 && newest != 0 && at.first >= newest && !place.left_at) {
            place.left_at = at.second;
        }
    }
    return place;
}

std::optional<Record> revived(std::optional<Record> seen, const std::vector<Vote>& votes,
                              const Uuid& claimer) {
    const auto own = std::find_if(votes.begin(), votes.end(),
                                  [&](const Vote& vote) { return vote.uuid == claimer; });
    if (seen && own != votes.end() && own->history_epoch > seen->promoted.epoch) {
        seen->promoted = {.uuid = {}, .epoch = own->history_epoch, .timeline = own->timeline};
    }
    return seen;
}

std::string render(const SealRequest& r) {
    return nlohmann::ordered_json{
        {"epoch", r.epoch}, {"incarnation", r.incarnation}, {"uuid", r.uuid}, {"name", r.name}}
        .dump();
}

Result<SealRequest> parse_seal_request(const std::string& json) {
    try {
        const auto doc = nlohmann::json::parse(json);
        return SealRequest{.epoch = doc.at("epoch"),
                           .incarnation = doc.at("incarnation"),
                           .uuid = doc.at("uuid"),
                           .name = doc.at("name")};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, std::string("seal request: ") + e.what());
    }
}

std::string render(const Vote& v) {
    nlohmann::ordered_json doc{{"uuid", v.uuid},
                               {"name", v.name},
                               {"sealed", v.sealed},
                               {"refused", v.refused},
                               {"stored_epoch", v.stored_epoch},
                               {"stored_incarnation", v.stored_incarnation},
                               {"sync_version", v.sync_version},
                               {"set_version", v.set_version},
                               {"may_lead", v.may_lead},
                               {"lacks", v.lacks},
                               {"history_epoch", v.history_epoch},
                               {"timeline", v.timeline},
                               {"opened", v.opened},
                               {"history", v.history},
                               {"flushed", v.flushed.bytes()}};
    if (v.seen) {
        doc["seen"] = render(*v.seen);
    }
    return doc.dump();
}

Result<Vote> parse_vote(const std::string& json) {
    try {
        const auto doc = nlohmann::json::parse(json);
        std::optional<Record> seen;
        if (doc.contains("seen")) {
            HD_TRY(seen, parse_record(doc.at("seen").get<std::string>()));
        }
        return Vote{.uuid = doc.at("uuid"),
                    .name = doc.at("name"),
                    .sealed = doc.at("sealed"),
                    .refused = doc.at("refused"),
                    .stored_epoch = doc.at("stored_epoch"),
                    .stored_incarnation = doc.value("stored_incarnation", ""),
                    .sync_version = doc.at("sync_version"),
                    .set_version = doc.at("set_version"),
                    .seen = std::move(seen),
                    .may_lead = doc.at("may_lead"),
                    .lacks = doc.value("lacks", false),
                    .history_epoch = doc.at("history_epoch"),
                    .timeline = doc.at("timeline"),
                    .opened = doc.value("opened", true),
                    .history = doc.value("history", ""),
                    .flushed = pg::Lsn(doc.at("flushed").get<std::uint64_t>())};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, std::string("vote of a member: ") + e.what());
    }
}

void rank(std::vector<Vote>& votes, std::vector<EpochStart> known) {
    // Whoever is on a voter's timeline has the voter's path behind it, and so its epoch.
    for (const auto& vote : votes) {
        if (vote.sealed && vote.opened) {
            known.push_back({.epoch = vote.history_epoch,
                             .timeline = vote.timeline,
                             .begin = branch_point(vote.history)});
        }
    }
    for (auto& vote : votes) {
        if (!vote.sealed) {
            continue;
        }
        const auto place = place_of(known, vote.timeline, vote.history);
        vote.history_epoch = std::max(vote.history_epoch, place.epoch);
        if (place.left_at && !HD_MUTANT(astray_counts)) {
            vote.flushed = std::min(vote.flushed, *place.left_at);
            vote.may_lead = false;
        }
    }
}

bool ahead(const Vote& a, const Vote& b) {
    if (HD_MUTANT(lsn_without_epoch)) {
        return a.flushed > b.flushed;
    }
    return std::tuple{a.history_epoch, a.flushed} > std::tuple{b.history_epoch, b.flushed};
}

}  // namespace howdah::ha
