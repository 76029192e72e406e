#include "api/metrics.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/overview.h"
#include "api/status_document.h"
#include "base/timestamp.h"

namespace howdah::api {

namespace {

/// "2026-11-23 09:38:13.448980+00:00" as seconds since 1970; 0: no time.
std::string epoch_seconds(const std::string& text) {
    const auto when = parse_iso8601(text);
    if (!when) {
        return "0";
    }
    const auto dot = text.find('.');
    const auto fraction =
        dot == std::string::npos ? 0.0 : std::strtod(("0" + text.substr(dot)).c_str(), nullptr);
    return fmt::format("{}", double(when->seconds) + fraction);
}

class Lines {
public:
    explicit Lines(const agent::Status& s)
        : labels_(fmt::format(R"({{scope="{}",name="{}"}})", escaped(s.scope), escaped(s.name))) {}

    void add(const std::string& name, const std::string& help, const std::string& value,
             const char* type = "gauge", const std::string& comment = {}) {
        out_ += fmt::format("# HELP {} {}\n{}# TYPE {} {}\n{}{} {}\n", name, help, comment, name,
                            type, name, labels_, value);
    }
    void flag(const std::string& name, const std::string& help, bool value) {
        add(name, help, value ? "1" : "0");
    }
    void counter(const std::string& name, const std::string& help, std::uint64_t value) {
        add(name, help, std::to_string(value), "counter");
    }
    std::string text() && { return std::move(out_); }

private:
    static std::string escaped(const std::string& text) {
        std::string out;
        for (const char c : text) {
            out += c == '\\' || c == '"' ? std::string("\\") + c
                   : c == '\n'           ? "\\n"
                                         : std::string(1, c);
        }
        return out;
    }
    std::string labels_;
    std::string out_{};
};

void add_server(Lines& out, const agent::Status& s, const std::string& role) {
    const auto& local = s.local;
    const bool up = local.accepting;
    out.add("patroni_version", "Patroni semver without periods.", "040104");
    out.flag("patroni_postgres_running", "Value is 1 if Postgres is running, 0 otherwise.", up);
    out.add("patroni_postmaster_start_time", "Epoch seconds since Postgres started.",
            up ? epoch_seconds(local.postmaster_start_time) : "0");
    out.flag("patroni_primary", "Value is 1 if this node is the leader, 0 otherwise.",
             role == "primary");
    out.counter("patroni_xlog_location",
                "Current location of the Postgres transaction log, 0 if this node is not the "
                "leader.",
                up && role == "primary" ? local.lsn.bytes() : 0);
    out.flag("patroni_standby_leader",
             "Value is 1 if this node is the standby_leader, 0 otherwise.",
             role == "standby_leader");
    out.flag("patroni_replica", "Value is 1 if this node is a replica, 0 otherwise.",
             role == "replica");
}

void add_replication(Lines& out, const agent::Status& s, const ClusterMode& mode) {
    const auto& local = s.local;
    const bool standby = local.accepting && local.role == ha::Role::standby;
    const bool synced = standby && mode.synchronous && is_sync_standby(s.cluster, s.name);
    out.flag("patroni_sync_standby", "Value is 1 if this node is a sync standby, 0 otherwise.",
             synced && !mode.quorum);
    out.flag("patroni_quorum_standby", "Value is 1 if this node is a quorum standby, 0 otherwise.",
             synced && mode.quorum);
    const auto received = local.received.bytes() != 0 ? local.received : local.replayed;
    out.counter("patroni_xlog_received_location",
                "Current location of the received Postgres transaction log, 0 if this node is not "
                "a replica.",
                standby ? received.bytes() : 0);
    out.counter("patroni_xlog_replayed_location",
                "Current location of the replayed Postgres transaction log, 0 if this node is not "
                "a replica.",
                standby ? local.replayed.bytes() : 0);
    out.add("patroni_xlog_replayed_timestamp",
            "Current timestamp of the replayed Postgres transaction log, 0 if null.",
            standby ? epoch_seconds(local.replayed_at) : "0");
    out.flag("patroni_xlog_paused", "Value is 1 if the Postgres xlog is paused, 0 otherwise.",
             standby && local.replay_paused);
    if (local.accepting) {
        out.flag("patroni_postgres_streaming", "Value is 1 if Postgres is streaming, 0 otherwise.",
                 standby && local.replication_state == "streaming");
        out.flag("patroni_postgres_in_archive_recovery",
                 "Value is 1 if Postgres is replicating from archive, 0 otherwise.",
                 standby && local.replication_state == "in archive recovery");
    }
    out.add("patroni_postgres_server_version", "Version of Postgres (if running), 0 otherwise.",
            std::to_string(local.accepting ? local.server_version : 0));
}

void add_cluster(Lines& out, const agent::Status& s) {
    const auto config = object_of(s.cluster.config_json);
    const auto listed = object_of(s.cluster.failsafe_json);
    const bool failsafe = config.value("failsafe_mode", nlohmann::ordered_json()) == true;
    out.flag("patroni_cluster_unlocked", "Value is 1 if the cluster is unlocked, 0 if locked.",
             s.cluster.leader_name().empty() || !s.dcs_reachable);
    out.flag("patroni_failsafe_mode_is_active",
             "Value is 1 if failsafe mode is active, 0 if inactive.", s.failsafe_active);
    out.flag("patroni_failsafe_mode_enabled",
             "Value is 1 if failsafe mode is enabled, 0 otherwise.", failsafe);
    out.flag("patroni_failsafe_member",
             "Value is 1 if this node is listed in the failsafe key, 0 otherwise.",
             listed.contains(s.name));
    out.add("patroni_postgres_timeline",
            "Postgres timeline of this node (if running), 0 otherwise.",
            std::to_string(s.local.accepting ? s.local.timeline : 0));
    out.add("patroni_dcs_last_seen",
            "Epoch timestamp when DCS was last contacted successfully by Patroni.",
            std::to_string(s.dcs_last_seen));
    out.flag("patroni_pending_restart", "Value is 1 if the node needs a restart, 0 otherwise.",
             !s.local.pending_restart_json.empty());
    out.flag("patroni_is_paused", "Value is 1 if auto failover is disabled, 0 otherwise.", s.pause);
}

std::string state_number(const agent::Status& s) {
    const bool unknown = s.local.state == ha::PgState::running && !s.local.accepting;
    return unknown ? "-1" : std::to_string(static_cast<int>(s.local.state));
}

int failover_priority(const agent::Status& s) {
    const auto tags = ha::Member{.tags_json = s.tags_json}.tags();
    return tags.nofailover ? 0 : tags.failover_priority;
}

void add_own(Lines& out, const agent::Status& s) {
    out.add("howdah_leader_epoch", "Fencing number of the term of leadership known here.",
            std::to_string(s.epoch));
    out.add("howdah_lease_seconds_left", "Until the end of this node's term; 0 without one.",
            fmt::format("{:.3f}", double(s.term_left.count()) / 1000));
    out.flag("howdah_cluster_mixed",
             "Value is 1 while members of the cluster run Patroni: its promises count then.",
             is_mixed(s.cluster));
    out.add("howdah_recoverable_until_seconds",
            "What was committed before is in the archive (epoch timestamp); 0 if not known here.",
            std::to_string(s.local.recoverable_until));
    out.flag("howdah_trouble", "Value is 1 if PostgreSQL lives and can't do its work.",
             !s.trouble.empty());
}

}  // namespace

std::string metrics(const agent::Status& s) {
    static const std::string states =
        "# Values: 0=initdb, 1=initdb_failed, 2=custom_bootstrap, 3=custom_bootstrap_failed, "
        "4=creating_replica, 5=running, 6=starting, 7=bootstrap_starting, 8=start_failed, "
        "9=restarting, 10=restart_failed, 11=stopping, 12=stopped, 13=stop_failed, 14=crashed\n";
    Lines out(s);
    add_server(out, s, role_word(s));
    add_replication(out, s, mode_of(s.cluster));
    add_cluster(out, s);
    out.add("patroni_postgres_state", "Numeric representation of Postgres state.", state_number(s),
            "gauge", states);
    out.add("patroni_failover_priority", "Failover priority of this node; 0: never.",
            std::to_string(failover_priority(s)));
    add_own(out, s);
    return std::move(out).text();
}

}  // namespace howdah::api
