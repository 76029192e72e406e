#include "ha/archive_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "ha/archive_call.h"

namespace howdah::ha {
namespace {

/// Whether one of them is a proof for this stanza.
bool proves_some(const std::vector<std::string>& proven, const std::string& stanza) {
    return std::ranges::any_of(
        proven, [&](const std::string& place) { return stanza_of(place) == stanza; });
}

ArchiveGate shut(std::string why) {
    return {.open = false, .why = std::move(why)};
}

}  // namespace

Origin parse_origin(const std::string& text) {
    Origin origin;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (is_stanza_name(line) &&
            std::ranges::find(origin.stanzas, line) == origin.stanzas.end()) {
            origin.stanzas.push_back(line);
        }
    }
    return origin;
}

std::string render(const Origin& origin) {
    std::string text;
    for (const auto& stanza : origin.stanzas) {
        text += stanza + "\n";
    }
    return text;
}

ArchiveGate archive_gate(const Origin& origin, const std::string& command,
                         const std::string& library, const std::string& into,
                         const std::vector<std::string>& proven) {
    const auto call = library.empty() ? archive_call(command, "archive-push") : std::nullopt;
    const auto stanza = call ? call->stanza : std::string();
    if (command.empty() && library.empty()) {
        return shut(
            "no archive_command is set in patroni.yml or /config, and that of the restored files "
            "leads to the archive of the cluster that they came from");
    }
    const bool allowed = !into.empty() && into == (stanza.empty() ? "any" : stanza);
    const bool elsewhere = allowed && !stanza.empty() && proves_some(proven, stanza) &&
                           std::ranges::find(proven, call->text) == proven.end();
    if (allowed && !elsewhere) {
        return {};
    }
    if (elsewhere) {
        return {.open = false,
                .stanza = stanza,
                .options = call->options,
                .place = call->text,
                .why = fmt::format("archive_command names stanza {} as before, but is not proven "
                                   "to lead to the same archive yet: {}",
                                   stanza, call->text)};
    }
    if (stanza.empty()) {
        return shut(
            "archive_command is not one call of howdah's or pgbackrest's archive-push that names "
            "one "
            "stanza, so nobody can tell whether it leads to the archive of the cluster that the "
            "backup came from; if "
            "it does not: `howdah edit-config -s howdah.archive_into=any`");
    }
    if (std::ranges::find(origin.stanzas, stanza) != origin.stanzas.end()) {
        return shut(
            fmt::format("archive_command pushes to stanza {0}, from which this cluster was "
                        "restored, and whose own cluster may still push there: set a stanza of its "
                        "own, or, if that cluster is gone for good, `howdah edit-config -s "
                        "howdah.archive_into={0}`",
                        stanza));
    }
    return {.open = false,
            .stanza = stanza,
            .options = call->options,
            .place = call->text,
            .why = fmt::format("stanza {} is not proven to be this cluster's own yet", stanza)};
}

namespace {

using Json = nlohmann::json;

Json list_in(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_array() ? *found : Json::array();
}

std::string text_in(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_made_for(const Json& report, const std::string& system_id) {
    const auto all = list_in(report, "db");
    return !all.empty() && std::ranges::all_of(all, [&](const Json& db) {
        return std::to_string(db.value("system-id", std::uint64_t{0})) == system_id;
    });
}

Json status_in(const Json& repository) {
    const auto found = repository.is_object() ? repository.find("status") : repository.end();
    return found != repository.end() && found->is_object() ? *found : Json::object();
}

/// pgBackRest's codes: all is well, or there is no backup yet.
bool was_looked_at(const Json& repository) {
    const auto status = status_in(repository);
    const auto code = status.find("code");
    return code != status.end() && (*code == 0 || *code == 2);
}

}  // namespace

std::string objection_to_archive(const std::string& info_json, const std::string& stanza,
                                 const std::string& system_id) {
    const auto doc = Json::parse(info_json, nullptr, false);
    const auto* report = doc.is_array() && doc.size() == 1 ? &doc[0] : nullptr;
    if (report == nullptr || !report->is_object() || text_in(*report, "name") != stanza) {
        return fmt::format("what the repository says of stanza {} can't be read", stanza);
    }
    if (!is_made_for(*report, system_id)) {
        return fmt::format(
            "stanza {0} is not there or not this cluster's: `pgbackrest "
            "--stanza={0} stanza-create` makes it",
            stanza);
    }
    for (const auto& repository : list_in(*report, "repo")) {
        if (!was_looked_at(repository)) {
            return fmt::format(
                "stanza {} could not be looked at in every repository that archive_command pushes "
                "to: {}",
                stanza, text_in(status_in(repository), "message"));
        }
    }
    for (const auto& archive : list_in(*report, "archive")) {
        const auto last = text_in(archive, "max");
        if (!last.empty()) {
            return fmt::format(
                "stanza {0} holds WAL up to {1}, perhaps of another cluster with "
                "the same system identifier: name an empty one, or, if nobody else "
                "archives there, `howdah edit-config -s howdah.archive_into={0}`",
                stanza, last);
        }
    }
    return {};
}

}  // namespace howdah::ha
