#include "ha/record.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

namespace howdah::ha {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 4> state_names{"claimed", "primary", "handover", "released"};

std::optional<RecordState> parse_state(const std::string& text) {
    for (std::size_t i = 0; i < state_names.size(); ++i) {
        if (state_names[i] == text) {
            return static_cast<RecordState>(i);
        }
    }
    return std::nullopt;
}

SyncSet read_sync(const Json& doc) {
    SyncSet set{.strict = doc.value("strict", false), .copies = doc.at("copies").get<int>()};
    const auto mode = doc.at("mode").get<std::string>();
    set.mode = mode == "quorum" ? SyncMode::quorum : mode == "on" ? SyncMode::on : SyncMode::off;
    for (const auto& voter : doc.at("voters")) {
        set.voters.push_back({.uuid = voter.at("uuid"), .name = voter.at("name")});
    }
    return set;
}

nlohmann::ordered_json json_of(const SyncSet& set) {
    auto voters = nlohmann::ordered_json::array();
    for (const auto& voter : set.voters) {
        voters.push_back({{"uuid", voter.uuid}, {"name", voter.name}});
    }
    return {{"mode", name_of(set.mode)},
            {"strict", set.strict},
            {"copies", set.copies},
            {"voters", voters}};
}

Record read(const Json& doc) {
    Record r;
    r.epoch = doc.at("epoch").get<Epoch>();
    r.holder = doc.at("holder_uuid").get<std::string>();
    r.holder_name = doc.value("holder_name", "");
    r.incarnation = doc.at("incarnation").get<std::string>();
    r.seq = doc.at("seq").get<std::uint64_t>();
    r.ttl = Millis(doc.at("ttl_ms").get<std::int64_t>());
    r.handover_to = doc.value("handover_to", "");
    r.claimers = doc.at("claimers").get<std::vector<Uuid>>();
    r.set_version = doc.value("set_version", std::uint64_t{0});
    r.sync_version = doc.value("sync_version", std::uint64_t{0});
    if (const auto it = doc.find("promoted"); it != doc.end()) {
        r.promoted = {.uuid = it->at("uuid").get<std::string>(),
                      .epoch = it->at("epoch").get<Epoch>(),
                      .timeline = it->at("tli").get<pg::Timeline>()};
    }
    if (const auto it = doc.find("sync"); it != doc.end()) {
        r.sync = read_sync(*it);
    }
    r.system_id = doc.value("system_id", "");
    r.timeline = doc.value("tli", pg::Timeline{0});
    r.lsn = pg::Lsn(doc.value("lsn", std::uint64_t{0}));
    r.lease = std::stoll(doc.value("lease", "0"));
    return r;
}

}  // namespace

std::string_view name_of(RecordState state) {
    return state_names.at(static_cast<std::size_t>(state));
}

bool may_be_followed(const Record& record) {
    return record.state == RecordState::primary ||
           (record.state == RecordState::claimed && record.timeline != 0);
}

namespace {

Result<Record> parse(const std::string& json) {
    try {
        const auto doc = Json::parse(json);
        const auto state = parse_state(doc.at("state").get<std::string>());
        if (!state) {
            return fail(Errc::corrupt,
                        fmt::format("record: unknown state {}", doc.at("state").dump()));
        }
        auto record = read(doc);
        record.state = *state;
        if (record.ttl <= Millis{}) {
            return fail(Errc::corrupt, "record: ttl_ms is not positive");
        }
        return record;
    } catch (const std::exception& e) {
        return fail(Errc::corrupt, fmt::format("record: {}", e.what()));
    }
}

}  // namespace

Result<Record> parse_record(const std::string& json) {
    // Every version is read several times in a row: from watch, read and answers. The last one is
    // kept; this changes nothing but the time it takes.
    thread_local std::string last_text;
    thread_local Record last;
    if (json != last_text || json.empty()) {
        HD_TRY(last, parse(json));
        last_text = json;
    }
    return last;
}

std::string render(const Record& r) {
    nlohmann::ordered_json doc{{"epoch", r.epoch},
                               {"holder_uuid", r.holder},
                               {"holder_name", r.holder_name},
                               {"incarnation", r.incarnation},
                               {"seq", r.seq},
                               {"ttl_ms", r.ttl.count()},
                               {"state", name_of(r.state)}};
    if (!r.handover_to.empty()) {
        doc["handover_to"] = r.handover_to;
    }
    doc["claimers"] = r.claimers;
    doc["set_version"] = r.set_version;
    doc["promoted"] = {
        {"uuid", r.promoted.uuid}, {"epoch", r.promoted.epoch}, {"tli", r.promoted.timeline}};
    doc["system_id"] = r.system_id;
    doc["tli"] = r.timeline;
    doc["lsn"] = r.lsn.bytes();
    doc["sync_version"] = r.sync_version;
    if (r.sync != SyncSet{}) {
        doc["sync"] = json_of(r.sync);
    }
    doc["lease"] = std::to_string(r.lease);
    return doc.dump();
}

}  // namespace howdah::ha
