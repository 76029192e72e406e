#include "ha/record.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>

namespace howdah::ha {
namespace {

using Json = nlohmann::json;

/// Raised when an older Howdah must not act on what a newer one writes. Fields that it may leave
/// unread don't raise it.
constexpr int record_format = 1;

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
    if (const auto it = doc.find("reserved"); it != doc.end()) {
        r.reserved = {.epoch = it->at("epoch").get<Epoch>(),
                      .timeline = it->at("tli").get<pg::Timeline>()};
    }
    if (const auto it = doc.find("sync"); it != doc.end()) {
        r.sync = read_sync(*it);
    }
    r.paused = doc.value("paused", false);
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
        return std::tuple(r.epoch, r.sync_version, r.set_version, r.promoted.epoch,
                          r.reserved.epoch);
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

Result<Record> parse_record(const std::string& json) {
    try {
        const auto doc = Json::parse(json);
        if (const auto format = doc.value("format", record_format); format > record_format) {
            return fail(
                Errc::unsafe,
                fmt::format("record: a newer Howdah wrote it, in format {}; this one knows {}",
                            format, record_format),
                "upgrade howdah on this host");
        }
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

std::string render(const Record& r) {
    nlohmann::ordered_json doc{{"format", record_format},      {"epoch", r.epoch},
                               {"holder_uuid", r.holder},      {"holder_name", r.holder_name},
                               {"incarnation", r.incarnation}, {"seq", r.seq},
                               {"ttl_ms", r.ttl.count()},      {"state", name_of(r.state)}};
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
    if (r.reserved != Reserved{}) {
        doc["reserved"] = {{"epoch", r.reserved.epoch}, {"tli", r.reserved.timeline}};
    }
    doc["system_id"] = r.system_id;
    doc["tli"] = r.timeline;
    doc["lsn"] = r.lsn.bytes();
    doc["sync_version"] = r.sync_version;
    if (r.sync != SyncSet{}) {
        doc["sync"] = json_of(r.sync);
    }
    if (r.paused) {
        doc["paused"] = true;
    }
    doc["lease"] = std::to_string(r.lease);
    return doc.dump();
}

namespace {

/// A record's text around the two numbers that a renewal changes.
struct Pieces {
    std::string_view head{}, middle{};
};
constexpr std::string_view last_piece = R"("})";

/// Takes a number off the front of `text`, as JSON has it: no zero before other digits.
template <class Number>
bool take_number(std::string_view& text, Number& number) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || (digits > 1 && text.front() == '0') ||
        std::from_chars(text.data(), text.data() + digits, number).ec != std::errc{}) {
        return false;
    }
    text.remove_prefix(digits);
    return true;
}

bool take_piece(std::string_view& text, std::string_view piece) {
    const auto there = text.starts_with(piece);
    text.remove_prefix(there ? piece.size() : 0);
    return there;
}

/// nullopt: the numbers do not stand where render() writes them. No string can look like a key, for
/// its quotes are escaped.
std::optional<Pieces> pieces_of(std::string_view text) {
    constexpr std::string_view seq = R"("seq":)", lease = R"(,"lease":")";
    const auto seq_key = text.find(seq), lease_key = text.rfind(lease);
    if (seq_key == text.npos || lease_key == text.npos || lease_key < seq_key) {
        return std::nullopt;
    }
    Pieces pieces{.head = text.substr(0, seq_key + seq.size())};
    const auto middle = std::min(text.find_first_of(",}", pieces.head.size()), lease_key);
    pieces.middle = text.substr(middle, lease_key + lease.size() - middle);
    // Another key of that name could be the one that counts.
    return pieces.middle.find(R"(q":)") == text.npos ? std::optional(pieces) : std::nullopt;
}

bool read_renewal(std::string_view text, const Pieces& pieces, Record& record) {
    std::uint64_t seq = 0;
    std::int64_t lease = 0;
    if (!take_piece(text, pieces.head) || !take_number(text, seq) ||
        !take_piece(text, pieces.middle) || !take_number(text, lease) || text != last_piece) {
        return false;
    }
    record.seq = seq;
    record.lease = lease;
    return true;
}

}  // namespace

bool is_renewal(const Record& before, const Record& now) {
    // All fields are named, so that this does not compile with another one.
    const auto rest = [](const Record& r) {
        const auto& [epoch, holder, holder_name, incarnation, seq, ttl, state, handover_to,
                     claimers, set_version, sync_version, sync, promoted, last_start, reserved,
                     system_id, timeline, lsn, paused, lease] = r;
        return std::tie(epoch, holder, holder_name, incarnation, ttl, state, handover_to, claimers,
                        set_version, sync_version, sync, promoted, last_start, reserved, system_id,
                        timeline, lsn, paused);
    };
    return rest(before) == rest(now);
}

void Sighting::read(std::int64_t at, const std::string& text) {
    revision = at;
    if (record && value == text) {
        return;
    }
    const auto pieces = record ? pieces_of(value) : std::nullopt;
    if (!pieces || !read_renewal(text, *pieces, *record)) {
        auto parsed = parse_record(text);
        record = parsed ? std::optional(*std::move(parsed)) : std::nullopt;
    }
    value = text;
}

std::string render_after(const Sighting& before, const Record& record) {
    const auto pieces = before.record && is_renewal(*before.record, record)
                            ? pieces_of(before.value)
                            : std::nullopt;
    return pieces ? fmt::format("{}{}{}{}{}", pieces->head, record.seq, pieces->middle,
                                record.lease, last_piece)
                  : render(record);
}

std::string damage_of(const Sighting& seen) {
    if (seen.foreign() && seen.leader_lease == 0) {
        return fmt::format(
            "the leader key in the store says \"{}\" without a lease: somebody wrote it by hand, "
            "and "
            "it never expires",
            seen.leader);
    }
    if (!seen.absent() && !seen.record) {
        const auto read = parse_record(seen.value);
        return "the leader record in the store can't be read: " +
               (read ? std::string("it is another one by now") : read.error().message);
    }
    return {};
}

}  // namespace howdah::ha
