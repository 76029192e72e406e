#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/environment.h"

namespace howdah::config {

/// Where a value was written.
struct Origin {
    std::string place{};  ///< a file, or "environment PATRONI_SCOPE"
    int line = 0;         ///< 1-based; 0: it has none
    std::string text() const;
};

/// One value of one layer.
struct Setting {
    std::string value{};  ///< as JSON, text without its quotes
    Origin origin{};
};

/// What is not as it looks, and no error.
struct Remark {
    std::string path{};
    Origin origin{};
    std::string text{};
};

/// A host's configuration before it is understood: files, merged in the order of their names (1.13:
/// null deletes, maps merge), and the environment over them (patroni-compatibility.md 1.1).
struct Sources {
    nlohmann::ordered_json document = nlohmann::ordered_json::object();
    std::map<std::string, Origin> origins{};                 ///< by dotted path: who wrote it last
    std::map<std::string, std::vector<Setting>> settings{};  ///< leaves, the weakest first
    std::map<std::string, std::string> written{};  ///< where YAML 1.1 makes something else of it
    std::vector<Remark> remarks{};                 ///< what the reading met

    /// Where `path` stands; its nearest section's origin when it stands nowhere.
    Origin origin_of(const std::string& path) const;
};

/// `file`: a file; a directory, of which all *.yml and *.yaml count; or nothing: then
/// PATRONI_CONFIGURATION holds the whole text, or PATRONI_* is all there is. Errors: Errc::invalid
/// with file and line, Errc::not_found.
Result<Sources> gather(const std::string& file, const Environment& environment);
/// The same of one text without an environment.
Result<Sources> gather_text(const std::string& text, const std::string& file);

}  // namespace howdah::config
