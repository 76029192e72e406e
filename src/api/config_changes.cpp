#include "api/config_changes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/answers.h"
#include "api/body.h"
#include "api/overview.h"
#include "config/dynamic_check.h"

namespace howdah::api {

using Json = nlohmann::ordered_json;

namespace {

io::HttpResponse refused(const std::vector<config::Finding>& findings) {
    const auto error = config::refusal(findings);
    return text_answer(400, error.message + "\nhint: " + error.hint);
}

std::string warnings_of(const Json& document) {
    std::string out;
    for (const auto& finding : config::check_dynamic_config(document)) {
        out += (out.empty() ? "" : ", ") + finding.text();
    }
    std::erase_if(out, [](unsigned char c) { return c < ' ' || c > '~'; });
    return out;
}

NewConfig accepted(const Json& document, const Json& about, bool changed) {
    return {.text = document.dump(), .warnings = warnings_of(about), .changed = changed};
}

}  // namespace

ConfigChange patched_config(const io::HttpRequest& request, const std::string& current) {
    const auto body = object_in(request);
    if (!body) {
        return body.error();
    }
    auto document = object_of(current);
    if (document.empty()) {
        return error_page(503);
    }
    const auto before = document;
    const bool changed = config::patch(document, *body);
    if (const auto wrong = config::newly_wrong(before, document); !wrong.empty()) {
        return refused(wrong);
    }
    return accepted(document, *body, changed);
}

ConfigChange replaced_config(const io::HttpRequest& request) {
    const auto body = object_in(request);
    if (!body) {
        return body.error();
    }
    if (const auto wrong = config::newly_wrong(Json::object(), *body); !wrong.empty()) {
        return refused(wrong);
    }
    return accepted(*body, *body, true);
}

std::expected<SettingsQuestion, io::HttpResponse> settings_question(
    const io::HttpRequest& request) {
    const auto body = object_in(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    return SettingsQuestion{.before = body->value("before", Json::object()).dump(),
                            .after = body->value("after", Json::object()).dump()};
}

std::string refused_text(const std::vector<instance::RefusedSetting>& refused) {
    std::string out;
    for (const auto& [name, value, why, locks_out] : refused) {
        if (locks_out) {
            out += fmt::format("{}postgresql.{}: {}", out.empty() ? "" : "; ", name, why);
            continue;
        }
        out += fmt::format("{}postgresql.parameters.{}: PostgreSQL would not start with {}: {}",
                           out.empty() ? "" : "; ", name, value.empty() ? "\"\"" : value, why);
    }
    return out;
}

io::HttpResponse config_answer(const NewConfig& config) {
    auto answer = json_answer(200, object_of(config.text));
    if (!config.warnings.empty()) {
        answer.headers["Warning"] = "199 howdah \"" + config.warnings + "\"";
    }
    return answer;
}

}  // namespace howdah::api
