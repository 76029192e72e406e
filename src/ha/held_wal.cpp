#include "ha/held_wal.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace howdah::ha {

bool lacks(const HeldWal& now, const HeldWal& held) {
    return held.timeline != 0 && now.system_id == held.system_id &&
           std::pair(now.timeline, now.lsn) < std::pair(held.timeline, held.lsn);
}

std::string render(const HeldWal& held) {
    return nlohmann::ordered_json{
        {"system_id", held.system_id}, {"tli", held.timeline}, {"lsn", held.lsn.bytes()}}
        .dump();
}

Result<HeldWal> parse_held_wal(const std::string& json) {
    try {
        const auto doc = nlohmann::json::parse(json);
        return HeldWal{.system_id = doc.at("system_id"),
                       .timeline = doc.at("tli"),
                       .lsn = pg::Lsn(doc.at("lsn").get<std::uint64_t>())};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, std::string("held WAL: ") + e.what());
    }
}

}  // namespace howdah::ha
