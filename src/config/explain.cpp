#include "config/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "config/dynamic_check.h"
#include "config/schema.h"

namespace howdah::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto dynamic_place = "/config";

enum class Reach : std::uint8_t {
    both,       ///< local beats dynamic
    local,      ///< dynamic values have no effect
    dynamic,    ///< local values have no effect
    bootstrap,  ///< used once
};

/// Parameters of patroni-compatibility.md 1.12.
bool is_controlled(const std::string& parameter) {
    static constexpr std::array names{"listen_addresses",
                                      "port",
                                      "cluster_name",
                                      "wal_level",
                                      "hot_standby",
                                      "max_connections",
                                      "max_wal_senders",
                                      "max_prepared_transactions",
                                      "max_replication_slots",
                                      "max_locks_per_transaction",
                                      "track_commit_timestamp",
                                      "max_worker_processes",
                                      "wal_log_hints",
                                      "restart_after_crash",
                                      "wal_keep_size",
                                      "wal_keep_segments"};
    return std::ranges::find(names, parameter) != names.end();
}

Reach reach_of(const std::string& key) {
    static const std::string parameters = "postgresql.parameters.";
    static constexpr std::array local{"listen",          "connect_address", "proxy_address",
                                      "config_dir",      "data_dir",        "pgpass",
                                      "config_base_name"};
    if (key.starts_with("bootstrap.")) {
        return Reach::bootstrap;
    }
    if (key == "postgresql.use_slots" ||
        (key.starts_with(parameters) && is_controlled(key.substr(parameters.size())))) {
        return Reach::dynamic;
    }
    if (key.starts_with("postgresql.authentication.") ||
        std::ranges::any_of(
            local, [&](const char* one) { return key == std::string("postgresql.") + one; })) {
        return Reach::local;
    }
    if (key.starts_with("postgresql.")) {
        return Reach::both;
    }
    // bootstrap.dcs names all keys of /config.
    const auto top = key.substr(0, key.find('.'));
    return is_known("bootstrap.dcs." + top) ? Reach::dynamic : Reach::local;
}

void flatten(const Json& value, const std::string& path, std::map<std::string, std::string>& out) {
    if (value.is_object() && !value.empty()) {
        for (const auto& [key, inner] : value.items()) {
            flatten(inner, path.empty() ? key : path + "." + key, out);
        }
        return;
    }
    if (!path.empty()) {
        out[path] = value.is_string() ? value.get<std::string>() : value.dump();
    }
}

bool speaks_of(const std::string& full, const std::string& key) {
    return key.empty() || full == key || full.starts_with(key + ".") || full.ends_with("." + key);
}

/// The layers of one key, the weakest first, with why a layer can't count.
std::vector<Shadowed> layers_of(const std::string& key, const Sources& local,
                                const std::map<std::string, std::string>& dynamic) {
    const auto reach = reach_of(key);
    std::vector<Shadowed> out;
    if (const auto otherwise = default_of(key)) {
        out.push_back(
            {.setting = {.value = *otherwise, .origin = {.place = "default"}}, .why = "default"});
    }
    if (const auto it = dynamic.find(key); it != dynamic.end()) {
        out.push_back({.setting = {.value = it->second, .origin = {.place = dynamic_place}},
                       .why = reach == Reach::local
                                  ? "without effect: only the host's own file counts"
                                  : ""});
    }
    if (const auto it = local.settings.find(key); it != local.settings.end()) {
        for (const auto& setting : it->second) {
            out.push_back({.setting = setting,
                           .why = reach == Reach::dynamic ? "without effect: only /config counts"
                                  : !is_known(key)        ? "unknown key, without effect"
                                                          : ""});
        }
    }
    return out;
}

Explained settle(const std::string& key, std::vector<Shadowed> layers) {
    Explained out{.key = key};
    std::ranges::reverse(layers);
    for (auto& layer : layers) {
        const bool fallback = layer.why == "default";
        if (out.from.place.empty() && (layer.why.empty() || fallback)) {
            out.value = layer.setting.value;
            out.from = layer.setting.origin;
            continue;
        }
        layer.why = layer.why.empty() ? "shadowed" : layer.why;
        if (!fallback) {
            out.others.push_back(std::move(layer));
        }
    }
    return out;
}

}  // namespace

std::vector<Explained> explain(const Sources& local, const Json& dynamic, const std::string& key) {
    std::map<std::string, std::string> flat;
    flatten(dynamic, "", flat);
    std::set<std::string> keys;
    for (const auto& [name, value] : flat) {
        keys.insert(name);
    }
    for (const auto& [name, settings] : local.settings) {
        keys.insert(name);
    }
    if (!key.empty() && default_of(key)) {
        keys.insert(key);
    }
    std::vector<Explained> out;
    for (const auto& name : keys) {
        if (speaks_of(name, key)) {
            out.push_back(settle(name, layers_of(name, local, flat)));
        }
    }
    return out;
}

std::string render(const std::vector<Explained>& all) {
    const auto shown = [](const std::string& key, const std::string& value) {
        const bool secret = key.ends_with("password");
        return secret ? std::string("(hidden)") : value;
    };
    std::string out;
    for (const auto& one : all) {
        const auto once =
            one.key.starts_with("bootstrap.") ? "; used once, by the first member" : "";
        out += one.from.place.empty()
                   ? fmt::format("{}: not set\n", one.key)
                   : fmt::format("{}: {}    ({}{})\n", one.key, shown(one.key, one.value),
                                 one.from.text(), once);
        for (const auto& other : one.others) {
            out += fmt::format("    {}    ({}; {})\n", shown(one.key, other.setting.value),
                               other.setting.origin.text(), other.why);
        }
    }
    return out;
}

}  // namespace howdah::config
