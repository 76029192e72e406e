#include "ha/standing.h"

#include <nlohmann/json.hpp>

#include "pg/slot_name.h"

namespace howdah::ha {

bool confirms(const Standing& s, const std::string& primary, const Walsender& w) {
    const auto by_port = s.receiver_port != 0 && s.receiver_port == w.client_port;
    return s.streams_from == primary && w.application_name == s.name &&
           (by_port || w.slot == pg::slot_name(s.name));
}

std::string render(const Standing& s) {
    nlohmann::ordered_json doc{{"uuid", s.uuid},
                               {"name", s.name},
                               {"stored_epoch", s.stored_epoch},
                               {"seen_revision", s.seen_revision},
                               {"seen_epoch", s.seen_epoch},
                               {"seen_sync_version", s.seen_sync_version},
                               {"holds", s.holds},
                               {"may_lead", s.may_lead},
                               {"failover_priority", s.failover_priority},
                               {"timeline", s.timeline},
                               {"received", s.received.bytes()},
                               {"replayed", s.replayed.bytes()},
                               {"not_counted", s.not_counted},
                               {"streams_from", s.streams_from},
                               {"receiver_port", s.receiver_port}};
    if (s.lost) {
        doc["lost"] = render(*s.lost);
    }
    return doc.dump();
}

Result<Standing> parse_standing(const std::string& json) {
    try {
        const auto doc = nlohmann::json::parse(json);
        std::optional<Record> lost;
        if (doc.contains("lost")) {
            HD_TRY(lost, parse_record(doc.at("lost").get<std::string>()));
        }
        return Standing{.uuid = doc.at("uuid"),
                        .name = doc.at("name"),
                        .stored_epoch = doc.at("stored_epoch"),
                        .seen_revision = doc.at("seen_revision"),
                        .seen_epoch = doc.value("seen_epoch", Epoch{0}),
                        .seen_sync_version = doc.value("seen_sync_version", std::uint64_t{0}),
                        .lost = std::move(lost),
                        .holds = doc.at("holds"),
                        .may_lead = doc.at("may_lead"),
                        .failover_priority = doc.value("failover_priority", 1),
                        .timeline = doc.at("timeline"),
                        .received = pg::Lsn(doc.at("received").get<std::uint64_t>()),
                        .replayed = pg::Lsn(doc.at("replayed").get<std::uint64_t>()),
                        .not_counted = doc.value("not_counted", std::vector<std::string>{}),
                        .streams_from = doc.value("streams_from", ""),
                        .receiver_port = doc.value("receiver_port", std::uint64_t{0})};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, std::string("standing of a member: ") + e.what());
    }
}

}  // namespace howdah::ha
