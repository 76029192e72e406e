#include "api/status_document.h"

#include <nlohmann/json.hpp>

#include "api/overview.h"

namespace howdah::api {

using Json = nlohmann::ordered_json;

namespace {

Json xlog(const instance::Local& local) {
    if (local.role == ha::Role::primary) {
        return {{"location", local.lsn.bytes()}};
    }
    const auto received = local.received.bytes() != 0 ? local.received : local.replayed;
    return {{"received_location", received.bytes()},
            {"replayed_location", local.replayed.bytes()},
            {"replayed_timestamp", local.replayed_at.empty() ? Json() : Json(local.replayed_at)},
            {"paused", local.replay_paused}};
}

Json replication(const instance::Local& local) {
    Json out = Json::array();
    for (const auto& w : local.walsenders) {
        out.push_back({{"usename", w.usename},
                       {"application_name", w.application_name},
                       {"client_addr", w.client_addr.empty() ? Json() : Json(w.client_addr)},
                       {"state", w.state},
                       {"sync_state", w.sync_state},
                       {"sync_priority", w.sync_priority}});
    }
    return out;
}

/// What is told only while PostgreSQL answers, after state and before role is interleaved by the
/// caller.
void put_running(Json& out, const agent::Status& s, const ClusterMode& mode) {
    const auto& local = s.local;
    out["server_version"] = local.server_version;
    out["xlog"] = xlog(local);
    if (local.role == ha::Role::standby && mode.synchronous && is_sync_standby(s.cluster, s.name)) {
        out[mode.quorum ? "quorum_standby" : "sync_standby"] = true;
    }
    if (local.timeline != 0) {
        out["timeline"] = local.timeline;
    }
    if (!local.replication_state.empty() && local.role == ha::Role::standby) {
        out["replication_state"] = local.replication_state;
    }
    if (!local.walsenders.empty()) {
        out["replication"] = replication(local);
    }
}

void put_object(Json& out, const char* key, const std::string& text) {
    if (auto object = object_of(text); !object.empty()) {
        out[key] = std::move(object);
    }
}

}  // namespace

std::string state_word(const agent::Status& s) {
    const bool silent = s.local.state == ha::PgState::running && !s.local.accepting;
    return silent ? "unknown" : std::string(ha::name_of(s.local.state));
}

std::string role_word(const agent::Status& s) {
    const auto& local = s.local;
    if (local.role == ha::Role::primary) {
        return "primary";
    }
    if (local.role == ha::Role::none && local.data_dir != ha::DataDir::initialized) {
        return "uninitialized";
    }
    return s.holds_leader && mode_of(s.cluster).standby_cluster ? "standby_leader" : "replica";
}

Json status_document(const agent::Status& s) {
    const auto mode = mode_of(s.cluster);
    Json out{{"state", state_word(s)}};
    if (s.local.accepting) {
        out["postmaster_start_time"] = s.local.postmaster_start_time;
    }
    out["role"] = role_word(s);
    if (s.local.accepting) {
        put_running(out, s, mode);
    }
    if (s.pause) {
        out["pause"] = true;
    }
    if (s.cluster.leader_name().empty() || !s.dcs_reachable) {
        out["cluster_unlocked"] = true;
    }
    if (s.failsafe_active) {
        out["failsafe_mode_is_active"] = true;
    }
    out["dcs_last_seen"] = s.dcs_last_seen;
    put_object(out, "tags", s.tags_json);
    if (!s.local.system_id.empty()) {
        out["database_system_identifier"] = s.local.system_id;
    }
    if (!s.local.pending_restart_json.empty()) {
        out["pending_restart"] = true;
        put_object(out, "pending_restart_reason", s.local.pending_restart_json);
    }
    out["patroni"] = {{"version", patroni_version}, {"scope", s.scope}, {"name", s.name}};
    if (!s.scheduled_restart_json.empty()) {
        auto schedule = object_of(s.scheduled_restart_json);
        schedule.erase("postmaster_start_time");
        out["scheduled_restart"] = std::move(schedule);
    }
    return out;
}

}  // namespace howdah::api
