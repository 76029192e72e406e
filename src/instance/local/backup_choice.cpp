#include "instance/local/backup_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "pg/wal_segment.h"

namespace howdah::instance {
namespace {

using Json = nlohmann::json;

struct Backup {
    BackupChoice choice{};
    std::int64_t stopped = 0;
    std::int64_t database = 0;
    pg::Timeline timeline = 0;
    pg::Lsn start{}, stop{};
};

/// nullopt: of an offline backup, one with errors, or what cannot be read.
std::optional<Backup> read_backup(const Json& from) {
    try {
        if (from.contains("error") && from.at("error").is_boolean() && from.at("error")) {
            return std::nullopt;
        }
        const auto start = pg::Lsn::parse(from.at("lsn").at("start").get<std::string>());
        const auto stop = pg::Lsn::parse(from.at("lsn").at("stop").get<std::string>());
        const auto segment =
            pg::WalSegment::parse(from.at("archive").at("stop").get<std::string>());
        if (!start || !stop || !segment) {
            return std::nullopt;
        }
        return Backup{.choice = {.label = from.at("label").get<std::string>(),
                                 .repository = from.at("database").value("repo-key", 1),
                                 .size = from.at("info").at("size").get<std::uint64_t>()},
                      .stopped = from.at("timestamp").at("stop").get<std::int64_t>(),
                      .database = from.at("database").at("id").get<std::int64_t>(),
                      .timeline = segment->timeline,
                      .start = *start,
                      .stop = *stop};
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

bool is_of_this_cluster(const Json& report, const Backup& backup, const std::string& system_id) {
    const auto all = report.find("db");
    return all != report.end() && all->is_array() && std::ranges::any_of(*all, [&](const Json& db) {
               return db.is_object() && db.value("id", std::int64_t{0}) == backup.database &&
                      db.value("repo-key", 1) == backup.choice.repository &&
                      std::to_string(db.value("system-id", std::uint64_t{0})) == system_id;
           });
}

bool is_of_the_history(const Backup& backup, const WalGoal& goal) {
    if (backup.timeline == goal.timeline) {
        return backup.stop <= goal.flush;
    }
    const auto branch = std::ranges::find(goal.history, backup.timeline, &pg::Branch::timeline);
    return branch != goal.history.end() && backup.stop <= branch->end;
}

}  // namespace

Result<BackupChoice> choose_backup(const std::string& info_json, const WalGoal& goal) {
    const auto doc = Json::parse(info_json, nullptr, false);
    if (!doc.is_array() || doc.size() != 1 || !doc[0].is_object()) {
        return fail(Errc::not_found, "what the repository says cannot be read");
    }
    std::optional<Backup> newest;
    if (const auto all = doc[0].find("backup"); all != doc[0].end() && all->is_array()) {
        for (const auto& each : *all) {
            auto backup = read_backup(each);
            if (backup && is_of_this_cluster(doc[0], *backup, goal.system_id) &&
                is_of_the_history(*backup, goal) &&
                (!newest || backup->stopped >= newest->stopped)) {
                newest = std::move(backup);
            }
        }
    }
    if (!newest) {
        return fail(Errc::not_found, "it has no backup of this cluster's history");
    }
    auto choice = std::move(newest->choice);
    choice.wal_bytes = goal.flush.bytes() - newest->start.bytes();
    if (choice.wal_bytes > choice.size / 2) {
        return fail(Errc::not_found,
                    fmt::format("since backup {} of {} bytes {} bytes of WAL were written",
                                choice.label, choice.size, choice.wal_bytes));
    }
    return choice;
}

}  // namespace howdah::instance
