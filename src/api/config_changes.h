#pragma once

#include <optional>
#include <string>
#include <variant>

#include "agent/control.h"
#include "io/http.h"

namespace howdah::api {

/// What PATCH or PUT /config leads to: a document to be written, and what is odd about it, or the
/// answer that ends the request.
struct NewConfig {
    std::string text{};      ///< compact JSON
    std::string warnings{};  ///< unknown keys and the like, for a header; may be empty
    bool changed = true;     ///< false: there is nothing to write
};
using ConfigChange = std::variant<NewConfig, io::HttpResponse>;

/// PATCH: `body` merged into `current` (patroni-compatibility.md 1.13, 3.5). A value that would be
/// wrong is answered by 400 with key and range; a document with older faults can be mended key by
/// key. Pure.
ConfigChange patched_config(const io::HttpRequest& request, const std::string& current);
/// PUT: `body` as it stands; every value of it must be right. Pure.
ConfigChange replaced_config(const io::HttpRequest& request);

/// Of POST /howdah/settings: {"before": {...}, "after": {...}}, two `/config` documents.
struct SettingsQuestion {
    std::string before{}, after{};
};
std::expected<SettingsQuestion, io::HttpResponse> settings_question(const io::HttpRequest& request);
/// "PostgreSQL would not start with work_mem = banana: ...". Call it with at least one.
std::string refused_text(const std::vector<instance::RefusedSetting>& refused);

/// 200 with the document.
io::HttpResponse config_answer(const NewConfig& config);

}  // namespace howdah::api
