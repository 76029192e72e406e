#include "ha/standing.h"

#include <nlohmann/json.hpp>

namespace howdah::ha {

std::string render(const Standing& s) {
    return nlohmann::ordered_json{{"uuid", s.uuid},
                                  {"name", s.name},
                                  {"stored_epoch", s.stored_epoch},
                                  {"seen_revision", s.seen_revision},
                                  {"holds", s.holds},
                                  {"may_lead", s.may_lead},
                                  {"timeline", s.timeline},
                                  {"received", s.received.bytes()},
                                  {"replayed", s.replayed.bytes()}}
        .dump();
}

Result<Standing> parse_standing(const std::string& json) {
    try {
        const auto doc = nlohmann::json::parse(json);
        return Standing{.uuid = doc.at("uuid"),
                        .name = doc.at("name"),
                        .stored_epoch = doc.at("stored_epoch"),
                        .seen_revision = doc.at("seen_revision"),
                        .holds = doc.at("holds"),
                        .may_lead = doc.at("may_lead"),
                        .timeline = doc.at("timeline"),
                        .received = pg::Lsn(doc.at("received").get<std::uint64_t>()),
                        .replayed = pg::Lsn(doc.at("replayed").get<std::uint64_t>())};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, std::string("standing of a member: ") + e.what());
    }
}

}  // namespace howdah::ha
