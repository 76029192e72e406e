#include "api/overview.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

namespace howdah::api {

using Json = nlohmann::ordered_json;

namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return char(std::tolower(c)); });
    return out;
}

/// Patroni's parse_bool: on/off, true/false, yes/no, 1/0 in any case; else `fallback`.
bool truth(const Json& value, bool fallback) {
    if (value.is_boolean()) {
        return value.get<bool>();
    }
    const auto text = lower(value.is_string() ? value.get<std::string>() : value.dump());
    if (text == "on" || text == "true" || text == "yes" || text == "1") {
        return true;
    }
    return text == "off" || text == "false" || text == "no" || text == "0" ? false : fallback;
}

bool is_filled(const Json& object, const char* key) {
    const auto it = object.find(key);
    return it != object.end() && !it->is_null() && *it != "" && *it != 0;
}

Position behind(std::optional<std::uint64_t> lsn, std::uint64_t optime) {
    return {.lsn = lsn, .lag_bytes = lsn && optime > *lsn ? optime - *lsn : 0};
}

std::string role_of(const ha::Cluster& cluster, const ClusterMode& mode, const std::string& name) {
    if (!cluster.leader_name().empty() && name == cluster.leader_name()) {
        return mode.standby_cluster ? "standby_leader" : "leader";
    }
    if (mode.synchronous && is_sync_standby(cluster, name)) {
        return mode.quorum ? "quorum_standby" : "sync_standby";
    }
    return "replica";
}

MemberView view_of(const ha::Cluster& cluster, const ClusterMode& mode, const ha::Member& m) {
    MemberView view{.name = m.name, .role = role_of(cluster, mode, m.name), .raw_state = m.state};
    view.leads = view.role == "leader" || view.role == "standby_leader";
    const bool shows_stream = view.role != "leader" && !m.replication_state.empty();
    view.state = shows_stream ? m.replication_state : m.state;
    view.api_url = m.api_url;
    if (const auto address = m.postgres_address()) {
        view.host = address->host;
        view.port = address->port;
    }
    view.timeline = m.timeline;
    view.pending_restart = m.pending_restart;
    view.pending_restart_reason_json = m.pending_restart_reason_json;
    view.scheduled_restart_json = m.scheduled_restart_json;
    view.tags_json = m.tags_json;
    const auto optime = cluster.optime.value_or(0);
    view.received = behind(m.receive_lsn, optime);
    view.replayed = behind(m.replay_lsn, optime);
    view.reached = behind(m.xlog_location, optime);
    return view;
}

void put_position(Json& out, const std::string& lag_key, const std::string& lsn_key,
                  const Position& p) {
    if (p.lsn) {
        out[lag_key] = p.lag_bytes;
        out[lsn_key] = pg::Lsn(*p.lsn).text();
    } else {
        out[lsn_key] = "unknown";
        out[lag_key] = "unknown";
    }
}

Json member_json(const MemberView& m) {
    Json out{{"name", m.name}, {"role", m.role}, {"state", m.state}, {"api_url", m.api_url}};
    if (!m.host.empty()) {
        out["host"] = m.host;
        out["port"] = m.port;
    }
    if (m.timeline != 0) {
        out["timeline"] = m.timeline;
    }
    if (m.pending_restart) {
        out["pending_restart"] = true;
    }
    const auto put_object = [&out](const char* key, const std::string& text) {
        if (auto object = object_of(text); !object.empty()) {
            out[key] = std::move(object);
        }
    };
    put_object("pending_restart_reason", m.pending_restart_reason_json);
    put_object("scheduled_restart", m.scheduled_restart_json);
    put_object("tags", m.tags_json);
    if (!m.leads) {
        put_position(out, "receive_lag", "receive_lsn", m.received);
        put_position(out, "replay_lag", "replay_lsn", m.replayed);
        put_position(out, "lag", "lsn", m.reached);
    }
    return out;
}

}  // namespace

Json object_of(const std::string& text) {
    auto parsed = Json::parse(text, nullptr, false);
    return parsed.is_object() ? parsed : Json::object();
}

ClusterMode mode_of(const ha::Cluster& cluster) {
    const auto config = object_of(cluster.config_json);
    ClusterMode mode;
    mode.pause = truth(config.value("pause", Json(false)), false);
    if (const auto it = config.find("standby_cluster"); it != config.end() && it->is_object()) {
        mode.standby_cluster =
            is_filled(*it, "host") || is_filled(*it, "port") || is_filled(*it, "restore_command");
    }
    const auto sync = config.value("synchronous_mode", Json(false));
    mode.quorum = sync.is_string() && lower(sync.get<std::string>()) == "quorum";
    mode.synchronous = mode.quorum || truth(sync, false);
    if (const auto it = config.find("ttl"); it != config.end() && it->is_number_integer()) {
        mode.ttl_seconds = it->get<std::int64_t>();
    }
    return mode;
}

bool is_mixed(const ha::Cluster& cluster) {
    return std::ranges::any_of(cluster.members, &ha::Member::is_patroni);
}

bool is_sync_standby(const ha::Cluster& cluster, std::string_view name) {
    const auto sync = object_of(cluster.sync_json);
    const auto leader = sync.find("leader");
    const auto standbys = sync.find("sync_standby");
    if (leader == sync.end() || !leader->is_string() || standbys == sync.end() ||
        !standbys->is_string()) {
        return false;
    }
    return lower("," + standbys->get<std::string>() + ",").contains("," + lower(name) + ",");
}

std::vector<MemberView> overview(const ha::Cluster& cluster) {
    const auto mode = mode_of(cluster);
    std::vector<MemberView> out;
    for (const auto& member : cluster.members) {
        out.push_back(view_of(cluster, mode, member));
    }
    std::ranges::sort(out, {}, &MemberView::name);
    return out;
}

Json cluster_json(const ha::Cluster& cluster, const std::string& scope) {
    Json members = Json::array();
    for (const auto& member : overview(cluster)) {
        members.push_back(member_json(member));
    }
    Json out{{"members", std::move(members)}};
    if (mode_of(cluster).pause) {
        out["pause"] = true;
    }
    if (const auto& planned = cluster.failover; !planned.scheduled_at.empty()) {
        Json when{{"at", planned.scheduled_at}};
        if (!planned.leader.empty()) {
            when["from"] = planned.leader;
        }
        if (!planned.candidate.empty()) {
            when["to"] = planned.candidate;
        }
        out["scheduled_switchover"] = std::move(when);
    }
    out["scope"] = scope;
    return out;
}

}  // namespace howdah::api
