#include "ha/member.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>

namespace howdah::ha {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 15> states{"initializing new cluster",
                                                  "initdb failed",
                                                  "running custom bootstrap script",
                                                  "custom bootstrap failed",
                                                  "creating replica",
                                                  "running",
                                                  "starting",
                                                  "starting after custom bootstrap",
                                                  "start failed",
                                                  "restarting",
                                                  "restart failed",
                                                  "stopping",
                                                  "stopped",
                                                  "stop failed",
                                                  "crashed"};

std::string text_of(const Json& doc, const char* key) {
    const auto it = doc.find(key);
    return it != doc.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::optional<std::uint64_t> number_of(const Json& doc, const char* key) {
    const auto it = doc.find(key);
    return it != doc.end() && it->is_number_unsigned() ? std::optional(it->get<std::uint64_t>())
                                                       : std::nullopt;
}

bool truth_of(const Json& doc, const char* key) {
    const auto it = doc.find(key);
    return it != doc.end() && it->is_boolean() && it->get<bool>();
}

Result<Member::Address> address_in(std::string_view url) {
    const auto scheme = url.find("://");
    auto rest = scheme == std::string_view::npos ? std::string_view() : url.substr(scheme + 3);
    rest = rest.substr(0, rest.find('/'));
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
        rest.remove_prefix(at + 1);
    }
    const auto colon = rest.rfind(':');
    std::uint16_t port = 0;
    if (colon == std::string_view::npos ||
        std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), port).ec !=
            std::errc{} ||
        colon == 0) {
        return fail(Errc::invalid, fmt::format("no host and port in \"{}\"", url));
    }
    auto host = rest.substr(0, colon);
    if (host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    return Member::Address{
        .host = std::string(host), .port = port, .tls = url.starts_with("https:")};
}

std::string text_in(const Json& doc, const char* key) {
    const auto it = doc.find(key);
    auto text = it == doc.end()   ? std::string()
                : it->is_string() ? it->get<std::string>()
                                  : it->dump();
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

/// nullopt: missing, or neither.
std::optional<bool> truth_in(const Json& doc, const char* key) {
    const auto text = text_in(doc, key);
    if (text == "true" || text == "on" || text == "yes" || text == "1") {
        return true;
    }
    if (text == "false" || text == "off" || text == "no" || text == "0") {
        return false;
    }
    return std::nullopt;
}

int number_in(const Json& doc, const char* key, int otherwise) {
    const auto text = text_in(doc, key);
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : otherwise;
}

}  // namespace

std::string_view name_of(PgState state) {
    return states.at(static_cast<std::size_t>(state));
}

std::optional<PgState> parse_pg_state(std::string_view text) {
    for (std::size_t i = 0; i < states.size(); ++i) {
        if (states[i] == text) {
            return static_cast<PgState>(i);
        }
    }
    return std::nullopt;
}

Member::Tags Member::tags() const {
    Tags tags;
    if (tags_json.empty()) {
        return tags;
    }
    const auto doc = Json::parse(tags_json, nullptr, false);
    if (!doc.is_object()) {
        return tags;
    }
    tags.failover_priority = number_in(doc, "failover_priority", 1);
    tags.sync_priority = number_in(doc, "sync_priority", 1);
    tags.nofailover = truth_in(doc, "nofailover").value_or(tags.failover_priority <= 0);
    tags.noloadbalance = truth_in(doc, "noloadbalance").value_or(false);
    tags.nosync = truth_in(doc, "nosync").value_or(tags.sync_priority <= 0);
    return tags;
}

Result<Member::Address> Member::postgres_address() const {
    return address_in(conn_url);
}
Result<Member::Address> Member::api_address() const {
    return address_in(api_url);
}

namespace {

/// A non-empty object under `key` with its keys in the order of `json`, or empty.
std::string object_text(const Json& doc, const std::string& json, const char* key) {
    const auto it = doc.find(key);
    return it != doc.end() && it->is_object() && !it->empty()
               ? nlohmann::ordered_json::parse(json)[key].dump()
               : std::string();
}

}  // namespace

Member parse_member(std::string name, const std::string& json) {
    Member m{.name = std::move(name)};
    const auto doc = Json::parse(json, nullptr, false);
    if (!doc.is_object()) {
        return m;
    }
    m.conn_url = text_of(doc, "conn_url");
    m.api_url = text_of(doc, "api_url");
    m.state = text_of(doc, "state");
    m.role = text_of(doc, "role");
    if (m.role == "master") {
        m.role = "primary";
    }
    m.version = text_of(doc, "version");
    m.tags_json = object_text(doc, json, "tags");
    m.pending_restart_reason_json = object_text(doc, json, "pending_restart_reason");
    m.scheduled_restart_json = object_text(doc, json, "scheduled_restart");
    m.xlog_location = number_of(doc, "xlog_location");
    m.receive_lsn = number_of(doc, "receive_lsn");
    m.replay_lsn = number_of(doc, "replay_lsn");
    m.replication_state = text_of(doc, "replication_state");
    m.timeline = static_cast<pg::Timeline>(number_of(doc, "timeline").value_or(0));
    const auto checkpoint = doc.find("checkpoint_after_promote");
    m.checkpoint_after_promote_pending =
        checkpoint != doc.end() && checkpoint->is_boolean() && !checkpoint->get<bool>();
    m.pending_restart = truth_of(doc, "pending_restart");
    m.pause = truth_of(doc, "pause");
    if (const auto howdah = doc.find("howdah"); howdah != doc.end() && howdah->is_object()) {
        m.uuid = text_of(*howdah, "uuid");
        m.greatest_timeline =
            static_cast<pg::Timeline>(number_of(*howdah, "greatest_timeline").value_or(0));
        m.copy_order = text_of(*howdah, "copy_order");
        m.archiving_off = text_of(*howdah, "archiving_off");
        if (const auto it = howdah->find("recoverable_until");
            it != howdah->end() && it->is_number_integer()) {
            m.recoverable_until = it->get<std::int64_t>();
        }
        m.settings_refused = text_of(*howdah, "settings_refused");
        m.file_errors = text_of(*howdah, "file_errors");
        m.restored = truth_of(*howdah, "restored");
    }
    return m;
}

std::string render(const Member& m) {
    nlohmann::ordered_json doc{{"conn_url", m.conn_url},
                               {"api_url", m.api_url},
                               {"state", m.state},
                               {"role", m.role},
                               {"version", m.version}};
    if (!m.tags_json.empty()) {
        doc["tags"] = nlohmann::ordered_json::parse(m.tags_json);
    }
    if (m.checkpoint_after_promote_pending) {
        doc["checkpoint_after_promote"] = false;
    }
    if (m.pending_restart) {
        doc["pending_restart"] = true;
    }
    if (!m.pending_restart_reason_json.empty()) {
        doc["pending_restart_reason"] =
            nlohmann::ordered_json::parse(m.pending_restart_reason_json);
    }
    const auto put = [&doc](const char* key, const std::optional<std::uint64_t>& value) {
        if (value) {
            doc[key] = *value;
        }
    };
    put("xlog_location", m.xlog_location);
    put("replay_lsn", m.replay_lsn);
    put("receive_lsn", m.receive_lsn);
    if (!m.replication_state.empty()) {
        doc["replication_state"] = m.replication_state;
    }
    if (m.timeline != 0) {
        doc["timeline"] = m.timeline;
    }
    if (!m.scheduled_restart_json.empty()) {
        doc["scheduled_restart"] = nlohmann::ordered_json::parse(m.scheduled_restart_json);
    }
    if (m.pause) {
        doc["pause"] = true;
    }
    if (!m.uuid.empty()) {
        doc["howdah"] = {{"uuid", m.uuid}};
        if (m.greatest_timeline > m.timeline) {
            doc["howdah"]["greatest_timeline"] = m.greatest_timeline;
        }
        if (!m.copy_order.empty()) {
            doc["howdah"]["copy_order"] = m.copy_order;
        }
        if (m.restored) {
            doc["howdah"]["restored"] = true;
        }
        if (!m.settings_refused.empty()) {
            doc["howdah"]["settings_refused"] = m.settings_refused;
        }
        if (!m.file_errors.empty()) {
            doc["howdah"]["file_errors"] = m.file_errors;
        }
        if (m.recoverable_until != 0) {
            doc["howdah"]["recoverable_until"] = m.recoverable_until;
        }
        if (!m.archiving_off.empty()) {
            doc["howdah"]["archiving_off"] = m.archiving_off;
        }
    }
    return doc.dump();
}

}  // namespace howdah::ha
