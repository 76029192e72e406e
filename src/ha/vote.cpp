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

Epoch last_epoch(const std::vector<EpochStart>& known, pg::Timeline timeline,
                 const std::string& history_file) {
    std::vector<std::pair<pg::Timeline, pg::Lsn>> path;  // timeline, where it began
    pg::Lsn begin{};
    for (const auto& row : history_rows(history_file)) {
        path.emplace_back(row.parent, begin);
        begin = row.switch_lsn;
    }
    path.emplace_back(timeline, begin);
    Epoch last = 0;
    for (const auto& start : known) {
        const auto at = std::pair{start.timeline, start.begin};
        if (std::find(path.begin(), path.end(), at) != path.end()) {
            last = std::max(last, start.epoch);
        }
    }
    return last;
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
                               {"history_epoch", v.history_epoch},
                               {"timeline", v.timeline},
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
                    .history_epoch = doc.at("history_epoch"),
                    .timeline = doc.at("timeline"),
                    .history = doc.value("history", ""),
                    .flushed = pg::Lsn(doc.at("flushed").get<std::uint64_t>())};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, std::string("vote of a member: ") + e.what());
    }
}

void rank(std::vector<Vote>& votes, std::vector<EpochStart> known) {
    // Whoever is on a voter's timeline has the voter's path behind it, and so its epoch.
    for (const auto& vote : votes) {
        if (vote.sealed) {
            known.push_back({.epoch = vote.history_epoch,
                             .timeline = vote.timeline,
                             .begin = branch_point(vote.history)});
        }
    }
    for (auto& vote : votes) {
        if (vote.sealed) {
            vote.history_epoch =
                std::max(vote.history_epoch, last_epoch(known, vote.timeline, vote.history));
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
