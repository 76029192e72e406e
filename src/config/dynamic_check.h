#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::config {

/// Something about one key of a `/config` document.
struct Finding {
    std::string key{};      ///< dotted path: "postgresql.parameters.max_connections"
    std::string message{};  ///< "10 is below the minimum of 25"
    std::string hint{};     ///< "write a whole number, 25 or more; the default is 100"
    bool wrong = true;      ///< else only odd: unknown, or without effect where it stands
    bool refused = false;   ///< wrong because reading past it would do harm (keys.h)
    std::string text() const { return key + ": " + message; }
    bool operator==(const Finding&) const = default;
};

/// Checks a whole `/config` document (patroni-compatibility.md 1.11, 1.12; safety-model.md, L13),
/// every key of it, in the document's order. Pure. A key that is wrong is not to be written;
/// unknown keys are kept as Patroni keeps them, and the nearest known one is named.
std::vector<Finding> check_dynamic_config(const nlohmann::ordered_json& document);

/// `document` without the values that are wrong: below the minimum becomes the minimum, what can't
/// be read at all is left out (1.14). So that one bad value, which another tool wrote, does not
/// hide the others.
nlohmann::ordered_json without_wrong_values(nlohmann::ordered_json document);

/// What writing `after` over `before` would break: the findings of `after` that are wrong and that
/// `before` does not have, so that a document with faults can be mended key by key.
std::vector<Finding> newly_wrong(const nlohmann::ordered_json& before,
                                 const nlohmann::ordered_json& after);

/// Error for the first of `findings`, naming all of them. Call it with at least one.
Error refusal(const std::vector<Finding>& findings);

/// The default of a key of `/config` as text, where there is one.
std::optional<std::string> default_of(const std::string& key);

/// Merges `change` into `document` (1.13): null deletes, maps merge, anything else replaces when
/// its text differs. True when something changed.
bool patch(nlohmann::ordered_json& document, const nlohmann::ordered_json& change);
/// The same keys, and leaves that are equal as text: "101" equals 101, true equals "True" (1.13).
bool same_settings(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b);

}  // namespace howdah::config
