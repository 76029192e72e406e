#include "cli/explain.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/ask_member.h"
#include "cli/read_cluster.h"

namespace howdah::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr Nanos patience = Seconds(3);

Result<Json> ask(const ha::Member& member, const config::AgentConfig& config) {
    HD_TRY(const auto answer, ask_member(member, "GET", "/explain", "", config, patience));
    auto doc = Json::parse(answer.body, nullptr, false);
    if (answer.status != 200 || !doc.is_object() || !doc.contains("why")) {
        return fail(Errc::unavailable, member.is_patroni() ? "it is a Patroni member"
                                                           : "its agent gives no explanation");
    }
    return doc;
}

MemberExplanation read(const std::string& name, const Result<Json>& doc) {
    if (!doc) {
        return {.name = name, .error = doc.error().message};
    }
    return {.name = name,
            .role = doc->value("role", ""),
            .rule = doc->value("rule", ""),
            .why = doc->value("why", ""),
            .trouble = doc->value("trouble", ""),
            .archiving_off = doc->value("archiving_off", ""),
            .settings_refused = doc->value("settings_refused", ""),
            .file_errors = doc->value("file_errors", ""),
            .obstacles = doc->value("obstacles", std::vector<std::string>{})};
}

}  // namespace

std::string render_explanations(const std::vector<MemberExplanation>& members) {
    std::string out;
    for (const auto& m : members) {
        out += out.empty() ? "" : "\n";
        if (!m.error.empty()) {
            out += fmt::format("{}: no answer from its agent: {}\n", m.name, m.error);
            continue;
        }
        out += fmt::format("{} is {}: {} (rule {})\n", m.name, m.role, m.why, m.rule);
        out += m.trouble.empty() ? "" : fmt::format("  trouble: {}\n", m.trouble);
        out +=
            m.archiving_off.empty() ? "" : fmt::format("  archiving is off: {}\n", m.archiving_off);
        out += m.settings_refused.empty()
                   ? ""
                   : fmt::format(
                         "  settings left out, since PostgreSQL would not start with them: "
                         "{}\n",
                         m.settings_refused);
        out += m.file_errors.empty()
                   ? ""
                   : fmt::format("  wrong in its configuration files: {}\n", m.file_errors);
        out += m.obstacles.empty() ? "" : "  to become primary:\n";
        for (const auto& obstacle : m.obstacles) {
            out += fmt::format("    - {}\n", obstacle);
        }
    }
    return out;
}

Result<> run(const ExplainCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto cluster, read_cluster(config, config.scope));
    std::vector<MemberExplanation> members;
    auto all = Json::object();
    for (const auto& member : cluster.members) {
        if (!command.member.empty() && member.name != command.member) {
            continue;
        }
        const auto doc = ask(member, config);
        members.push_back(read(member.name, doc));
        all[member.name] = doc ? *doc : Json{{"error", doc.error().message}};
    }
    if (members.empty()) {
        return fail(Errc::not_found,
                    command.member.empty()
                        ? fmt::format("cluster {} has no members", config.scope)
                        : fmt::format("cluster {} has no member {}", config.scope, command.member),
                    "howdah list shows the members");
    }
    std::fputs((command.json ? all.dump(2) + "\n" : render_explanations(members)).c_str(), stdout);
    return {};
}

}  // namespace howdah::cli
