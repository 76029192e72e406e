#include "config/dynamic_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/dynamic_check.h"
#include "config/own_paths.h"
#include "config/quantity.h"

namespace howdah::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t wal_segment_mb = 16;

std::string text_of(const Json& value) {
    return setting_text(value);
}

bool truth(const Json& doc, const char* key, bool otherwise) {
    const auto it = doc.find(key);
    return it == doc.end() || it->is_null() ? otherwise : parse_truth(text_of(*it)).value_or(false);
}

Result<std::int64_t> number(const Json& doc, const char* key, std::int64_t otherwise,
                            std::int64_t least) {
    const auto it = doc.find(key);
    if (it == doc.end() || it->is_null()) {
        return otherwise;
    }
    const auto value = parse_quantity(text_of(*it), Unit::bytes);
    if (!value || *value < least) {
        return fail(
            Errc::invalid,
            fmt::format("{}: {} is not a number of {} or more", key, it->dump(), least),
            fmt::format("write a whole number, {} or more; the default is {}", least, otherwise));
    }
    return *value;
}

Result<ha::LeaseTimes> lease_of(const Json& doc) {
    if (const auto ttl = doc.find("ttl"); ttl != doc.end() && !ttl->is_null()) {
        HD_TRY(const auto seconds, number(doc, "ttl", 30, 2));
        return ha::LeaseTimes::of_ttl(Seconds(seconds));
    }
    const auto howdah = doc.find("howdah");
    const auto named = howdah != doc.end() && howdah->is_object() && howdah->contains("lease");
    return ha::LeaseTimes::of_profile(named ? text_of((*howdah)["lease"]) : "default");
}

Result<ha::SyncMode> sync_mode_of(const Json& doc) {
    const auto it = doc.find("synchronous_mode");
    if (it == doc.end() || it->is_null()) {
        return ha::SyncMode::off;
    }
    const auto text = lower_case(text_of(*it));
    if (text == "quorum") {
        return ha::SyncMode::quorum;
    }
    if (truth(doc, "synchronous_mode", false)) {
        return ha::SyncMode::on;
    }
    if (text == "off" || text == "false" || text == "no" || text == "0") {
        return ha::SyncMode::off;
    }
    return fail(Errc::invalid, fmt::format("synchronous_mode: {} is no mode", it->dump()),
                "write off, on or quorum");
}

struct Controlled {
    const char* name;
    const char* value;
    std::int64_t least;  ///< -1: not a number
};
/// patroni-compatibility.md 1.12; wal_keep_* apart. restart_after_crash is Howdah's own: a restart
/// of the backends that the agent does not see would show commits that no standby has yet.
constexpr std::array controlled_parameters{
    Controlled{"wal_level", "replica", -1},
    Controlled{"hot_standby", "on", -1},
    Controlled{"max_connections", "100", 25},
    Controlled{"max_wal_senders", "10", 3},
    Controlled{"max_prepared_transactions", "0", 0},
    Controlled{"max_locks_per_transaction", "64", 32},
    Controlled{"track_commit_timestamp", "off", -1},
    Controlled{"max_replication_slots", "10", 4},
    Controlled{"max_worker_processes", "8", 2},
    Controlled{"wal_log_hints", "on", -1},
    Controlled{"restart_after_crash", "off", -1},
};

bool acceptable(const Controlled& parameter, const std::string& value) {
    const std::string_view name = parameter.name;
    if (name == "wal_level") {
        return value == "replica" || value == "hot_standby" || value == "logical";
    }
    if (name == "hot_standby") {
        return value == "on" || value == "true" || value == "yes" || value == "1";
    }
    if (name == "restart_after_crash") {
        return parse_truth(value) == false;
    }
    const auto number = parse_quantity(value, Unit::none);
    return parameter.least < 0 || (number && *number >= parameter.least);
}

/// wal_keep_segments until 12, wal_keep_size from 13; 16 MB a segment.
void settle_wal_keep(const Json& dynamic, int version, EffectivePostgresql& out) {
    const auto given = [&](const char* name) {
        const auto it = dynamic.find(name);
        return it == dynamic.end() ? std::string() : text_of(*it);
    };
    const auto size = given("wal_keep_size");
    const auto segments = given("wal_keep_segments");
    out.parameters.erase("wal_keep_size");
    out.parameters.erase("wal_keep_segments");
    if (version >= 13) {
        const auto count = parse_quantity(segments, Unit::none);
        out.parameters["wal_keep_size"] = !size.empty() ? size
                                          : count ? fmt::format("{}MB", *count * wal_segment_mb)
                                                  : "128MB";
        if (size.empty() && count) {
            out.warnings.push_back(fmt::format(
                "wal_keep_segments: {} has become wal_keep_size: {}MB in PostgreSQL 13; converted",
                *count, *count * wal_segment_mb));
        }
        return;
    }
    const auto megabytes = parse_quantity(size, Unit::megabytes);
    out.parameters["wal_keep_segments"] =
        !segments.empty() ? segments
        : megabytes       ? std::to_string(std::max<std::int64_t>(1, *megabytes / wal_segment_mb))
                          : "8";
}

void settle_controlled(const AgentConfig& local, const Json& dynamic, int version,
                       EffectivePostgresql& out) {
    for (const auto& parameter : controlled_parameters) {
        const auto it = dynamic.find(parameter.name);
        auto value =
            it == dynamic.end() || it->is_null() ? std::string(parameter.value) : text_of(*it);
        if (!acceptable(parameter, value)) {
            out.warnings.push_back(fmt::format("{}: {} is not acceptable; the default {} is used",
                                               parameter.name, value, parameter.value));
            value = parameter.value;
        }
        out.controlled[parameter.name] = value;
    }
    out.controlled["listen_addresses"] = local.postgresql.listen_addresses;
    out.controlled["port"] = std::to_string(local.postgresql.port);
    out.controlled["cluster_name"] = local.scope;
    for (const auto& [name, value] : out.controlled) {
        out.parameters[name] = value;
    }
    settle_wal_keep(dynamic, version, out);
}

void merge_parameters(const Json& section, EffectivePostgresql& out) {
    const auto it = section.find("parameters");
    if (it == section.end() || !it->is_object()) {
        return;
    }
    for (auto p = it->begin(); p != it->end(); ++p) {
        if (p.value().is_null()) {
            out.parameters.erase(p.key());
        } else {
            out.parameters[p.key()] = text_of(p.value());
        }
    }
}

std::vector<std::string> lines_of(const Json& doc, const char* key) {
    std::vector<std::string> out;
    const auto it = doc.find(key);
    if (it != doc.end() && it->is_array()) {
        for (const auto& line : *it) {
            out.push_back(text_of(line));
        }
    }
    return out;
}

}  // namespace

std::vector<std::string> pg_hba_of(const std::string& json) {
    const auto doc = Json::parse(json, nullptr, false);
    const auto section = doc.is_object() ? doc.find("postgresql") : doc.end();
    return section != doc.end() && section->is_object() ? lines_of(*section, "pg_hba")
                                                        : std::vector<std::string>();
}

namespace {

/// A map or a list of strings and single-pair maps, as options of pg_basebackup.
std::vector<std::string> options_of(const Json& doc, const char* key) {
    std::vector<std::string> out;
    const auto it = doc.find(key);
    if (it == doc.end()) {
        return out;
    }
    const auto add = [&out](const Json& map) {
        for (auto p = map.begin(); p != map.end(); ++p) {
            out.push_back(fmt::format("--{}={}", p.key(), text_of(p.value())));
        }
    };
    if (it->is_object()) {
        add(*it);
    }
    for (const auto& item : it->is_array() ? *it : Json::array()) {
        if (item.is_object()) {
            add(item);
        } else {
            out.push_back("--" + text_of(item));
        }
    }
    return out;
}

/// create_replica_methods (13.3): a name whose section has no command is itself the command.
std::vector<ReplicaMethod> replica_methods_of(const Json& doc, std::vector<std::string>& warnings) {
    const auto warn = [&](const std::string& name, const std::string& key, const char* why) {
        warnings.push_back(fmt::format("{}.{} has no effect: {}", name, key, why));
    };
    std::vector<ReplicaMethod> out;
    for (const auto& name : replica_method_names(doc)) {
        ReplicaMethod method{.name = name, .command = name == "basebackup" ? "" : name};
        const auto section = name == "basebackup" ? doc.end() : doc.find(name);
        if (section != doc.end() && section->is_object()) {
            for (const auto& [key, value] : section->items()) {
                if (key == "command") {
                    method.command = text_of(value);
                } else if (key == "keep_data") {
                    warn(name, key, "a copy begins with an empty directory");
                } else if (key == "no_params") {
                    method.no_params = truth(*section, "no_params", false);
                } else if (key == "no_leader" || key == "no_master") {
                    warn(name, key, "nothing is copied while nobody leads");
                } else {
                    method.parameters.push_back(fmt::format("--{}={}", key, text_of(value)));
                }
            }
        }
        out.push_back(std::move(method));
    }
    return out;
}

/// Parameters that recovery_conf may not set (1.8).
bool is_refused_recovery(const std::string& name) {
    return name.starts_with("recovery_target") || name == "primary_conninfo" ||
           name == "primary_slot_name";
}

/// As Patroni decides that a cluster is a standby cluster.
bool names_a_remote(const Json& standby_cluster) {
    constexpr std::array keys{"host", "port", "restore_command"};
    return standby_cluster.is_object() && std::ranges::any_of(keys, [&](const char* key) {
               const auto value = standby_cluster.value(key, Json());
               return !value.is_null() && value != "" && value != 0;
           });
}

/// Names of ignore_slots' matchers that fit physical slots, and of permanent slots; "*" for a
/// matcher that names none (9.1).
std::vector<std::string> foreign_slots_of(const Json& doc) {
    std::vector<std::string> out;
    for (const auto* key : {"slots", "permanent_slots", "permanent_replication_slots"}) {
        const auto section = doc.find(key);
        if (section != doc.end() && section->is_object()) {
            for (const auto& [name, value] : section->items()) {
                out.push_back(name);
            }
        }
    }
    const auto matchers = doc.find("ignore_slots");
    for (const auto& matcher :
         matchers != doc.end() && matchers->is_array() ? *matchers : Json::array()) {
        if (matcher.is_object() && matcher.value("type", Json("physical")) == "physical") {
            const auto name = matcher.value("name", Json());
            out.push_back(name.is_null() ? "*" : text_of(name));
        }
    }
    return out;
}

}  // namespace

std::vector<std::string> replica_method_names(const Json& postgresql) {
    for (const auto* key : {"create_replica_methods", "create_replica_method"}) {
        const auto list = postgresql.is_object() ? postgresql.find(key) : postgresql.end();
        if (list != postgresql.end() && list->is_array()) {
            return lines_of(postgresql, key);
        }
    }
    return {};
}

Result<DynamicConfig> parse_dynamic_config(const std::string& json) {
    const auto doc = Json::parse(json, nullptr, false);
    if (!doc.is_object()) {
        return fail(Errc::invalid, "the configuration in the store is not a JSON object",
                    "repair it with edit-config");
    }
    DynamicConfig c;
    HD_TRY(const auto loop_wait, number(doc, "loop_wait", 10, 1));
    HD_TRY(const auto retry_timeout, number(doc, "retry_timeout", 10, 3));
    HD_TRY(const auto lag, number(doc, "maximum_lag_on_failover", 1048576, 0));
    const auto* start_key =
        doc.contains("primary_start_timeout") ? "primary_start_timeout" : "master_start_timeout";
    HD_TRY(const auto start, number(doc, start_key, 300, 0));
    HD_TRY(c.lease, lease_of(doc));
    c.loop_wait = Seconds(loop_wait);
    c.retry_timeout = Seconds(retry_timeout);
    c.maximum_lag_on_failover = static_cast<std::uint64_t>(lag);
    c.primary_start_timeout = Seconds(start);
    c.pause = truth(doc, "pause", false);
    if (const auto howdah = doc.find("howdah"); howdah != doc.end() && howdah->is_object()) {
        const auto into = howdah->value("archive_into", Json());
        c.archive_into = into.is_null() ? std::string() : text_of(into);
        c.archive_proven = lines_of(*howdah, "archive_proven");
        if (const auto origin = howdah->find("origin");
            origin != howdah->end() && !origin->is_null()) {
            c.origin = ha::Origin{.stanzas = lines_of(*howdah, "origin")};
        }
    }
    c.standby_cluster = names_a_remote(doc.value("standby_cluster", Json()));
    c.failsafe_mode = truth(doc, "failsafe_mode", false);
    c.foreign_slots = foreign_slots_of(doc);
    HD_TRY(c.synchronous_mode, sync_mode_of(doc));
    c.synchronous_mode_strict = truth(doc, "synchronous_mode_strict", false);
    HD_TRY(const auto count, number(doc, "synchronous_node_count", 1, 1));
    c.synchronous_node_count = static_cast<int>(std::min<std::int64_t>(count, 1000));
    HD_TRY(c.maximum_lag_on_syncnode, number(doc, "maximum_lag_on_syncnode", -1, -1));
    if (const auto it = doc.find("postgresql"); it != doc.end()) {
        if (!it->is_object()) {
            return fail(Errc::invalid, "postgresql: must be a mapping",
                        "repair it with edit-config");
        }
        c.postgresql_json = it->dump();
    }
    return c;
}

Result<ReadDynamicConfig> read_dynamic_config(const std::string& json) {
    const auto doc = Json::parse(json, nullptr, false);
    ReadDynamicConfig out;
    std::string refused;
    for (auto& finding : doc.is_object() ? check_dynamic_config(doc) : std::vector<Finding>()) {
        if (finding.refused) {
            refused += (refused.empty() ? "" : "; ") + finding.text();
        }
        (finding.wrong ? out.wrong : out.odd).push_back(finding.text());
    }
    const auto usable = out.wrong.empty() ? doc : without_wrong_values(doc);
    HD_TRY(out.config, parse_dynamic_config(usable.is_object() ? usable.dump() : json));
    out.config.refused = std::move(refused);
    // Also of what is not obeyed: the slots belong to somebody.
    out.config.foreign_slots = doc.is_object() ? foreign_slots_of(doc) : std::vector<std::string>();
    return out;
}

Result<EffectivePostgresql> effective_postgresql(const AgentConfig& local,
                                                 const DynamicConfig& dynamic, int server_version) {
    const auto shared = Json::parse(
        dynamic.postgresql_json.empty() ? "{}" : dynamic.postgresql_json, nullptr, false);
    const auto own = Json::parse(
        local.postgresql.local_json.empty() ? "{}" : local.postgresql.local_json, nullptr, false);
    if (!shared.is_object() || !own.is_object()) {
        return fail(Errc::invalid, "postgresql: must be a mapping", "repair it with edit-config");
    }
    auto merged = shared;  // a local key replaces the dynamic key as a whole
    for (auto it = own.begin(); it != own.end(); ++it) {
        merged[it.key()] = it.value();
    }
    EffectivePostgresql out{.pg_hba = lines_of(merged, "pg_hba"),
                            .pg_ident = lines_of(merged, "pg_ident"),
                            .use_pg_rewind = truth(merged, "use_pg_rewind", false),
                            .use_slots = truth(shared, "use_slots", true)};
    merge_parameters(shared, out);
    merge_parameters(own, out);
    out.warnings = drop_own_paths(local.postgresql, out.parameters);
    const auto dynamic_parameters =
        shared.contains("parameters") && shared["parameters"].is_object() ? shared["parameters"]
                                                                          : Json::object();
    settle_controlled(local, dynamic_parameters, server_version, out);
    if (const auto it = merged.find("recovery_conf"); it != merged.end() && it->is_object()) {
        for (auto p = it->begin(); p != it->end(); ++p) {
            if (!is_refused_recovery(p.key())) {
                out.recovery[p.key()] = text_of(p.value());
            }
        }
    }
    out.remove_data_directory_on_rewind_failure =
        truth(merged, "remove_data_directory_on_rewind_failure", false);
    out.remove_data_directory_on_diverged_timelines =
        truth(merged, "remove_data_directory_on_diverged_timelines", false);
    out.custom_conf = merged.contains("custom_conf") ? text_of(merged["custom_conf"]) : "";
    out.basebackup = options_of(merged, "basebackup");
    if (const auto it = merged.find("callbacks"); it != merged.end() && it->is_object()) {
        for (const auto& [event, command] : it->items()) {
            out.callbacks[event] = command.is_null() ? "" : text_of(command);
        }
    }
    out.replica_methods = replica_methods_of(merged, out.warnings);
    out.foreign_slots = dynamic.foreign_slots;
    out.archive_into = dynamic.archive_into;
    out.archive_proven = dynamic.archive_proven;
    out.origin = dynamic.origin;
    HD_TRY(const auto ctl, number(merged, "pg_ctl_timeout", 60, 1));
    out.pg_ctl_timeout = Seconds(ctl);
    return out;
}

}  // namespace howdah::config
