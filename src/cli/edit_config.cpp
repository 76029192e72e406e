#include "cli/edit_config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "api/overview.h"
#include "cli/ask.h"
#include "cli/ask_member.h"
#include "cli/editor.h"
#include "cli/pyyaml.h"
#include "cli/read_cluster.h"
#include "cli/unified_diff.h"
#include "config/dynamic_check.h"
#include "config/yaml_document.h"

namespace howdah::cli {

namespace {

using Json = nlohmann::ordered_json;

/// Any YAML value as JSON. Errors: Errc::invalid with `what` and the line.
Result<Json> parse_yaml(const std::string& text, const std::string& what) {
    HD_TRY(auto document, config::read_yaml(text, what));
    if (!document.remarks.empty()) {
        const auto& twice = document.remarks.front();
        return fail(Errc::invalid,
                    fmt::format("{}:{}: {} is written twice", what, twice.line, twice.path),
                    "remove one of them");
    }
    return std::move(document.value);
}

Result<Json> parse_mapping(const std::string& text, const std::string& what) {
    HD_TRY(auto document, parse_yaml(text, what));
    if (!document.is_object()) {
        return fail(Errc::invalid, what + ": this is no mapping of keys to values",
                    "write it as show-config prints it");
    }
    return document;
}

/// "a.b.c=VALUE" as the change {"a": {"b": {"c": VALUE}}}.
Result<Json> change_of(const std::string& pair, const std::string& below) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
        return fail(Errc::invalid, fmt::format("Invalid parameter setting {}", pair),
                    "write KEY=VALUE");
    }
    HD_TRY(auto value, parse_yaml(pair.substr(equals + 1), pair.substr(0, equals)));
    std::string path = below + pair.substr(0, equals);
    static const std::string parameters = "postgresql.parameters.";
    // A parameter may hold a dot itself: pg_stat_statements.max.
    auto rest = path.starts_with(parameters) ? parameters.size() - 1 : path.rfind('.');
    while (true) {
        const auto key = rest == std::string::npos ? path : path.substr(rest + 1);
        if (key.empty()) {
            return fail(Errc::invalid, fmt::format("Invalid parameter setting {}", pair),
                        "no part of the path may be empty");
        }
        Json outer = Json::object();
        outer[key] = std::move(value);
        value = std::move(outer);
        if (rest == std::string::npos) {
            return value;
        }
        path.resize(rest);
        rest = path.rfind('.');
    }
}

Result<std::string> text_of_file(const std::string& name) {
    std::ostringstream text;
    if (name == "-") {
        text << std::cin.rdbuf();
        return text.str();
    }
    std::ifstream in(name);
    if (!in || !(text << in.rdbuf())) {
        return fail(Errc::not_found, name + ": can't be read", "name a file, or - for the input");
    }
    return text.str();
}

/// What the checks object to is told; whether it may be written is the answer.
Result<> check(const Json& before, const Json& after) {
    if (const auto wrong = config::newly_wrong(before, after); !wrong.empty()) {
        return std::unexpected(config::refusal(wrong));
    }
    const auto known = config::check_dynamic_config(before);
    for (const auto& finding : config::check_dynamic_config(after)) {
        if (!finding.wrong && std::ranges::find(known, finding) == known.end()) {
            fmt::print(stderr, "warning: {}\n", finding.text());
        }
    }
    return {};
}

/// Whether PostgreSQL would start with it, asked of the members, the leader first.
Result<> try_on_postgres(const ha::Cluster& cluster, const Json& before, const Json& after,
                         const config::AgentConfig& config) {
    constexpr Nanos patience = Seconds(15);
    auto members = cluster.members;
    std::ranges::partition(members,
                           [&](const ha::Member& m) { return m.name == cluster.leader_name(); });
    const auto body = Json{{"before", before}, {"after", after}}.dump();
    for (const auto& member : members) {
        if (member.is_patroni() || !member.api_address()) {
            continue;
        }
        const auto answer = ask_member(member, "POST", "/howdah/settings", body, config, patience);
        if (answer && answer->status == 200) {
            return {};
        }
        if (answer && answer->status == 400) {
            return fail(Errc::invalid, answer->body, "nothing was changed");
        }
    }
    fmt::print(stderr,
               "warning: no member could be asked whether PostgreSQL takes these settings; each "
               "one leaves out what its own refuses (howdah list)\n");
    return {};
}

bool edits_on_command_line(const EditConfigCommand& c) {
    return !c.set.empty() || !c.pg.empty() || !c.apply.empty() || !c.replace.empty();
}

/// Asks whether to write it. A diff read from the input can't be confirmed there.
Result<bool> agreed(const EditConfigCommand& command) {
    if (command.force) {
        return true;
    }
    if (command.apply == "-" || command.replace == "-") {
        std::cout << "Use --force option if you want to apply changes\n";
        return false;
    }
    return confirm("Apply these changes?", std::cin, std::cout);
}

}  // namespace

std::string config_yaml(const Json& document) {
    return document.empty() ? std::string() : yaml_block(document);
}

Result<Json> edited(Json document, const EditConfigCommand& command, const EditTexts& texts) {
    if (!command.replace.empty()) {
        HD_TRY(document, parse_mapping(texts.replace, command.replace));
    }
    if (!command.apply.empty()) {
        HD_TRY(const auto change, parse_mapping(texts.apply, command.apply));
        config::patch(document, change);
    }
    for (const auto& pair : command.set) {
        HD_TRY(const auto change, change_of(pair, ""));
        config::patch(document, change);
    }
    for (const auto& pair : command.pg) {
        HD_TRY(const auto change, change_of(pair, "postgresql.parameters."));
        config::patch(document, change);
    }
    return document;
}

Result<> run(const ShowConfigCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto name, cluster_name(command.cluster, config));
    HD_TRY(const auto cluster, read_cluster(config, name));
    if (const auto document = api::object_of(cluster.config_json); !document.empty()) {
        std::cout << config_yaml(document) << "\n";
    }
    return {};
}

Result<> run(const EditConfigCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto name, cluster_name(command.cluster, config));
    HD_TRY(const auto cluster, read_cluster(config, name));
    const auto before = api::object_of(cluster.config_json);
    if (before.empty()) {
        return fail(Errc::not_found, "The config key does not exist in the cluster " + name,
                    "the cluster is not bootstrapped yet");
    }
    Json after;
    if (edits_on_command_line(command)) {
        EditTexts texts;
        for (auto [file, text] : {std::pair{&command.apply, &texts.apply},
                                  std::pair{&command.replace, &texts.replace}}) {
            if (!file->empty()) {
                HD_TRY(*text, text_of_file(*file));
            }
        }
        HD_TRY(after, edited(before, command, texts));
    } else {
        HD_TRY(const auto text, edit_text(config_yaml(before), name + "-config.yaml"));
        HD_TRY(after, parse_mapping(text, name + "-config.yaml"));
    }
    if (config::same_settings(before, after)) {
        std::cout << "Not changed\n";
        return {};
    }
    HD_TRY_VOID(check(before, after));
    if (before.value("postgresql", Json()) != after.value("postgresql", Json())) {
        HD_TRY_VOID(try_on_postgres(cluster, before, after, config));
    }
    if (!command.quiet) {
        std::cout << unified_diff(config_yaml(before), config_yaml(after)) << std::flush;
    }
    HD_TRY(const bool go, agreed(command));
    if (!go) {
        return {};
    }
    auto written = replace_key(config, name, "config", cluster.config_revision, after.dump());
    if (!written && written.error().code == Errc::conflict) {
        return fail(Errc::conflict, "Config modification aborted due to concurrent changes",
                    "run it again: it starts from what is there now");
    }
    if (written) {
        std::cout << "Configuration changed\n";
    }
    return written;
}

}  // namespace howdah::cli
