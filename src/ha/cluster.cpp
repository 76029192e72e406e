#include "ha/cluster.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

namespace howdah::ha {
namespace {

using Json = nlohmann::json;

std::string text_at(const Json& doc, const char* key) {
    const auto it = doc.find(key);
    return it != doc.end() && it->is_string() ? it->get<std::string>() : std::string();
}

FailoverRequest parse_failover(const ScopeKey& key) {
    FailoverRequest request{.revision = key.mod_revision};
    const auto doc = Json::parse(key.value, nullptr, false);
    if (doc.is_object()) {
        request.leader = text_at(doc, "leader");
        request.candidate = text_at(doc, "member");
        request.scheduled_at = text_at(doc, "scheduled_at");
    } else if (const auto colon = key.value.find(':'); colon != std::string::npos) {
        request.leader = key.value.substr(0, colon);
        request.candidate = key.value.substr(colon + 1);
    }
    return request;
}

std::vector<HistoryRow> parse_history(const std::string& text) {
    std::vector<HistoryRow> rows;
    const auto doc = Json::parse(text, nullptr, false);
    for (const auto& row : doc.is_array() ? doc : Json::array()) {
        if (!row.is_array() || row.size() < 3 || !row[0].is_number_unsigned() ||
            !row[1].is_number_unsigned()) {
            continue;
        }
        const auto text_of = [&row](std::size_t i) {
            return row.size() > i && row[i].is_string() ? row[i].get<std::string>() : std::string();
        };
        rows.push_back({.parent = row[0].get<pg::Timeline>(),
                        .switch_lsn = pg::Lsn(row[1].get<std::uint64_t>()),
                        .reason = text_of(2),
                        .timestamp = text_of(3),
                        .new_leader = text_of(4)});
    }
    return rows;
}

/// A bare integer is a legacy optime (2.3).
std::optional<std::uint64_t> parse_optime(const std::string& text) {
    const auto doc = Json::parse(text, nullptr, false);
    if (doc.is_number_unsigned()) {
        return doc.get<std::uint64_t>();
    }
    if (doc.is_object() && doc.contains("optime") && doc["optime"].is_number_unsigned()) {
        return doc["optime"].get<std::uint64_t>();
    }
    return std::nullopt;
}

constexpr std::string_view members = "members/";

void take(Cluster& cluster, const ScopeKey& key) {
    if (key.name == "howdah") {
        cluster.record.read(key.mod_revision, key.value);
    } else if (key.name == "leader") {
        cluster.record.leader_revision = key.mod_revision;
        cluster.record.leader = key.value;
        cluster.record.leader_lease = key.lease;
    } else if (key.name == "initialize") {
        cluster.initialize = key.value;
    } else if (key.name == "config") {
        cluster.config_json = key.value;
        cluster.config_revision = key.mod_revision;
    } else if (key.name.starts_with(members)) {
        cluster.members.push_back(parse_member(key.name.substr(members.size()), key.value));
    } else if (key.name == "failover") {
        cluster.failover = parse_failover(key);
    } else if (key.name == "history") {
        cluster.history = parse_history(key.value);
    } else if (key.name == "status" || (key.name == "optime/leader" && !cluster.optime)) {
        cluster.optime = parse_optime(key.value);
    } else if (key.name == "sync") {
        cluster.sync_json = key.value;
    } else if (key.name == "failsafe") {
        cluster.failsafe_json = key.value;
    }
}

}  // namespace

const Member* Cluster::member(std::string_view name) const {
    const auto it = std::find_if(members.begin(), members.end(),
                                 [name](const Member& m) { return m.name == name; });
    return it == members.end() ? nullptr : &*it;
}

const Member* Cluster::member_by_uuid(std::string_view uuid) const {
    const auto it = std::find_if(members.begin(), members.end(), [uuid](const Member& m) {
        return !m.uuid.empty() && m.uuid == uuid;
    });
    return it == members.end() ? nullptr : &*it;
}

bool is_shown(std::string_view name) {
    constexpr std::array<std::string_view, 10> shown{
        "howdah",  "leader", "initialize",    "config", "failover",
        "history", "status", "optime/leader", "sync",   "failsafe"};
    return name.starts_with(members) || std::find(shown.begin(), shown.end(), name) != shown.end();
}

bool update(Cluster& cluster, const ScopeKey& key) {
    if (key.name.starts_with(members)) {
        const auto name = std::string_view(key.name).substr(members.size());
        const auto known = std::find_if(cluster.members.begin(), cluster.members.end(),
                                        [&](const Member& m) { return m.name == name; });
        if (known == cluster.members.end()) {
            return false;
        }
        *known = parse_member(std::string(name), key.value);
        return true;
    }
    if (!is_shown(key.name) || key.name == "optime/leader") {
        return false;
    }
    take(cluster, key);
    return true;
}

bool is_renewal(const Sighting& before, const Sighting& now) {
    if (!before.record || !now.record || !before.intact() || !now.intact() ||
        before.leader != now.leader) {
        return false;
    }
    return is_renewal(*before.record, *now.record);
}

Cluster parse_cluster(const std::vector<ScopeKey>& keys, std::int64_t revision) {
    Cluster cluster{.revision = revision};
    for (const auto& key : keys) {
        take(cluster, key);
    }
    std::sort(cluster.members.begin(), cluster.members.end(),
              [](const Member& a, const Member& b) { return a.name < b.name; });
    return cluster;
}

std::vector<HistoryRow> history_rows(const std::string& history_file) {
    std::vector<HistoryRow> rows;
    std::size_t at = 0;
    while (at < history_file.size()) {
        const auto end = std::min(history_file.find('\n', at), history_file.size());
        const auto line = history_file.substr(at, end - at);
        at = end + 1;
        const auto first = line.find('\t');
        const auto second = line.find('\t', first + 1);
        pg::Timeline parent = 0;
        if (first == std::string::npos || second == std::string::npos ||
            std::from_chars(line.data(), line.data() + first, parent).ec != std::errc{}) {
            continue;
        }
        if (const auto lsn = pg::Lsn::parse(line.substr(first + 1, second - first - 1))) {
            rows.push_back(
                {.parent = parent, .switch_lsn = *lsn, .reason = line.substr(second + 1)});
        }
    }
    return rows;
}

std::string render_history(const std::vector<HistoryRow>& rows) {
    auto doc = nlohmann::ordered_json::array();
    for (const auto& row : rows) {
        auto out = nlohmann::ordered_json::array({row.parent, row.switch_lsn.bytes(), row.reason});
        if (!row.timestamp.empty()) {
            out.push_back(row.timestamp);
            out.push_back(row.new_leader);
        }
        doc.push_back(std::move(out));
    }
    return doc.dump();
}

std::string render(const FailoverRequest& request) {
    auto doc = nlohmann::ordered_json::object();
    if (!request.leader.empty()) {
        doc["leader"] = request.leader;
    }
    if (!request.candidate.empty()) {
        doc["member"] = request.candidate;
    }
    if (!request.scheduled_at.empty()) {
        doc["scheduled_at"] = request.scheduled_at;
    }
    return doc.dump();
}

}  // namespace howdah::ha
