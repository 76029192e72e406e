#include "instance/local/started_settings.h"

#include <nlohmann/json.hpp>
#include <set>

#include "io/files.h"

namespace howdah::instance {
namespace {

std::string file_in(const std::string& state_dir) {
    return state_dir + "/settings.started";
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

StartedSettings StartedSettings::of(const config::EffectivePostgresql& settings) {
    return {.parameters = settings.parameters,
            .controlled = settings.controlled,
            .recovery = settings.recovery,
            .pg_hba = settings.pg_hba,
            .pg_ident = settings.pg_ident};
}

void StartedSettings::put_into(config::EffectivePostgresql& settings) const {
    settings.parameters = parameters;
    settings.controlled = controlled;
    settings.recovery = recovery;
    settings.pg_hba = pg_hba;
    settings.pg_ident = pg_ident;
}

std::string StartedSettings::differences(const StartedSettings& other) const {
    std::set<std::string> names;
    add_differences(parameters, other.parameters, names);
    add_differences(controlled, other.controlled, names);
    add_differences(recovery, other.recovery, names);
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
                                  {"recovery", settings.recovery},
                                  {"pg_hba", settings.pg_hba},
                                  {"pg_ident", settings.pg_ident}};
    return io::write_file_atomically(file_in(state_dir), document.dump());
}

Result<StartedSettings> recall_started(const std::string& state_dir) {
    HD_TRY(const auto text, io::read_file(file_in(state_dir)));
    try {
        const auto document = nlohmann::json::parse(text);
        StartedSettings out;
        document.at("parameters").get_to(out.parameters);
        document.at("controlled").get_to(out.controlled);
        document.at("recovery").get_to(out.recovery);
        document.at("pg_hba").get_to(out.pg_hba);
        document.at("pg_ident").get_to(out.pg_ident);
        return out;
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::not_found, file_in(state_dir) + ": " + e.what());
    }
}

}  // namespace howdah::instance
