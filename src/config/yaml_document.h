#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::config {

/// A YAML text as Patroni reads it, that is PyYAML's safe_load: YAML 1.1, with anchors and merge
/// keys resolved. Paths are dotted; a dot in a key is not told apart.
struct YamlDocument {
    nlohmann::ordered_json value{};                ///< null for an empty text
    std::map<std::string, int> lines{};            ///< by path of a mapping's key; 1-based
    std::map<std::string, std::string> written{};  ///< scalars whose text is another than Python's
                                                   ///< str() of them: "0640" for 416
    struct Remark {
        std::string path{};
        int line = 0;
        std::string text{};
    };
    std::vector<Remark> remarks{};  ///< keys that stand twice in one mapping: the last one counts
};

/// `place` is named in errors. Pure. Errors: Errc::invalid with place and line for everything that
/// PyYAML refuses; further for what JSON can't hold (yaml_scalar.h), for a list or mapping as a
/// key, for an anchor that holds itself, for several documents, for more than 100 levels, and for
/// aliases that unfold to more than 100,000 values.
Result<YamlDocument> read_yaml(const std::string& text, const std::string& place);

}  // namespace howdah::config
