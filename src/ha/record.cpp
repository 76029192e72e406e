#include "ha/record.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <tuple>

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
    if (const auto it = doc.find("last_start"); it != doc.end()) {
        r.last_start = {.epoch = it->at("epoch").get<Epoch>(),
                        .timeline = it->at("tli").get<pg::Timeline>(),
                        .begin = pg::Lsn(it->at("lsn").get<std::uint64_t>())};
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

bool is_later(const Record& record, const Record& seen) {
    const auto version = [](const Record& r) {
        return std::tuple(r.epoch, r.sync_version, r.set_version, r.promoted.epoch);
    };
    return version(record) > version(seen);
}

bool is_older(const Record& record, const Record& seen) {
    return std::pair(record.epoch, record.sync_version) < std::pair(seen.epoch, seen.sync_version);
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

/// The last version that was read or written here. Every version is read several times in a row,
/// from watch, read and answers, and a renewal differs from the version before it in two numbers.
/// This changes nothing but the time it takes.
struct LastVersion {
    std::string text{};
    Record record{};
};
thread_local LastVersion last_read, last_written;

std::string seq_of(const Record& r) {
    return fmt::format(R"("seq":{},)", r.seq);
}
std::string lease_of(const Record& r) {
    return fmt::format(R"("lease":"{}"}})", r.lease);
}

/// As `last_written` with another seq and lease; nullopt when more differs.
std::optional<std::string> renew_text(const Record& r) {
    const auto& last = last_written;
    if (last.text.empty()) {
        return std::nullopt;
    }
    auto same = last.record;
    same.seq = r.seq;
    same.lease = r.lease;
    const auto seq = last.text.find(seq_of(last.record));
    const auto lease = lease_of(last.record);
    if (!(same == r) || seq == std::string::npos || !last.text.ends_with(lease)) {
        return std::nullopt;
    }
    const auto after_seq = seq + seq_of(last.record).size();
    const auto until_lease = last.text.size() - lease.size();
    return last.text.substr(0, seq) + seq_of(r) +
           last.text.substr(after_seq, until_lease - after_seq) + lease_of(r);
}

std::string write(const Record& r);

}  // namespace

Result<Record> parse_record(const std::string& json) {
    if (json != last_read.text || json.empty()) {
        HD_TRY(last_read.record, parse(json));
        last_read.text = json;
    }
    return last_read.record;
}

std::string render(const Record& r) {
    auto text = renew_text(r);
    last_written = {.text = text ? *std::move(text) : write(r), .record = r};
    last_read = last_written;
    return last_written.text;
}

namespace {

std::string write(const Record& r) {
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
    if (r.last_start.epoch != 0) {
        doc["last_start"] = {{"epoch", r.last_start.epoch},
                             {"tli", r.last_start.timeline},
                             {"lsn", r.last_start.begin.bytes()}};
    }
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

}  // namespace

}  // namespace howdah::ha
