#include "instance/local/started_settings.h"

#include <nlohmann/json.hpp>
#include <set>

#include "io/files.h"

namespace howdah::instance {
namespace {

std::string file_in(const std::string& state_dir) {
    return state_dir + "/settings.started";
}

/// Beside those that need a restart: read at a start alone, or in earnest.
bool is_proven_by_a_start(const std::string& name, const std::set<std::string>& need_a_restart) {
    if (name.starts_with("archive_")) {
        return false;
    }
    return need_a_restart.contains(name) || name.starts_with("ssl") || name == "min_wal_size" ||
           name == "max_wal_size";
}

config::Parameters proven(const config::Parameters& all,
                          const std::set<std::string>& need_a_restart) {
    config::Parameters out;
    for (const auto& [name, value] : all) {
        if (is_proven_by_a_start(name, need_a_restart)) {
            out[name] = value;
        }
    }
    return out;
}

void replace(config::Parameters& all, const config::Parameters& by,
             const std::set<std::string>& need_a_restart) {
    std::erase_if(all,
                  [&](const auto& one) { return is_proven_by_a_start(one.first, need_a_restart); });
    all.insert(by.begin(), by.end());
}

void add_differences(const config::Parameters& a, const config::Parameters& b,
                     std::set<std::string>& out) {
    for (const auto* both : {&a, &b}) {
        for (const auto& [name, value] : *both) {
            const auto here = a.find(name);
            const auto there = b.find(name);
            if (here == a.end() || there == b.end() || here->second != there->second) {
                out.insert(name);
            }
        }
    }
}

}  // namespace

StartedSettings StartedSettings::of(const config::EffectivePostgresql& settings,
                                    std::set<std::string> need_a_restart) {
    return {.parameters = proven(settings.parameters, need_a_restart),
            .controlled = settings.controlled,
            .pg_hba = settings.pg_hba,
            .pg_ident = settings.pg_ident,
            .need_a_restart = std::move(need_a_restart)};
}

void StartedSettings::put_into(config::EffectivePostgresql& settings) const {
    replace(settings.parameters, parameters, need_a_restart);
    settings.controlled = controlled;
    settings.pg_hba = pg_hba;
    settings.pg_ident = pg_ident;
}

std::string StartedSettings::differences(const StartedSettings& other) const {
    std::set<std::string> names;
    add_differences(parameters, other.parameters, names);
    add_differences(controlled, other.controlled, names);
    if (pg_hba != other.pg_hba) {
        names.insert("pg_hba");
    }
    if (pg_ident != other.pg_ident) {
        names.insert("pg_ident");
    }
    std::string out;
    for (const auto& name : names) {
        out += (out.empty() ? "" : ", ") + name;
    }
    return out;
}

Result<> remember(const std::string& state_dir, const StartedSettings& settings) {
    if (const auto known = recall_started(state_dir); known && *known == settings) {
        return {};
    }
    const nlohmann::json document{{"parameters", settings.parameters},
                                  {"controlled", settings.controlled},
                                  {"pg_hba", settings.pg_hba},
                                  {"pg_ident", settings.pg_ident},
                                  {"need_a_restart", settings.need_a_restart}};
    return io::write_file_atomically(file_in(state_dir), document.dump());
}

Result<StartedSettings> recall_started(const std::string& state_dir) {
    HD_TRY(const auto text, io::read_file(file_in(state_dir)));
    try {
        const auto document = nlohmann::json::parse(text);
        StartedSettings out;
        document.at("parameters").get_to(out.parameters);
        document.at("controlled").get_to(out.controlled);
        document.at("pg_hba").get_to(out.pg_hba);
        document.at("pg_ident").get_to(out.pg_ident);
        document.at("need_a_restart").get_to(out.need_a_restart);
        return out;
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::not_found, file_in(state_dir) + ": " + e.what());
    }
}

}  // namespace howdah::instance
