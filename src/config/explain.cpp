#include "config/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "config/dynamic_check.h"
#include "config/keys.h"

namespace howdah::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto dynamic_place = "/config";

/// Why a value of a layer does not count; empty: it does. `config`: the layer is `/config`.
std::string objection(const std::string& key, bool config) {
    const auto* known = find_key(config ? Document::config : Document::file, key);
    if (known == nullptr) {
        const auto* there = find_key(config ? Document::file : Document::config, key);
        return there == nullptr ? "unknown key, without effect"
               : config         ? "without effect: only the host's own file counts"
                                : "without effect: only /config counts";
    }
    // A file's parameters may be any, but these are the cluster's.
    if (const auto* there = find_key(Document::config, key);
        !config && there != nullptr && there->path == key && there->where == Where::config &&
        !key.starts_with("bootstrap.")) {
        return "without effect: only /config counts";
    }
    return known->effect == Effect::full || known->path != key ? "" : not_acted_on(*known);
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
    std::vector<Shadowed> out;
    if (const auto otherwise = default_of(key)) {
        out.push_back(
            {.setting = {.value = *otherwise, .origin = {.place = "default"}}, .why = "default"});
    }
    if (const auto it = dynamic.find(key); it != dynamic.end()) {
        out.push_back({.setting = {.value = it->second, .origin = {.place = dynamic_place}},
                       .why = objection(key, true)});
    }
    if (const auto it = local.settings.find(key); it != local.settings.end()) {
        for (const auto& setting : it->second) {
            out.push_back({.setting = setting, .why = objection(key, false)});
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
