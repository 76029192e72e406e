#include "config/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/yaml.h"

namespace howdah::config {
namespace {

namespace fs = std::filesystem;

std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
}

std::string value_text(const YAML::Node& node) {
    const auto json = to_json(node);
    return json.is_string() ? json.get<std::string>() : json.dump();
}

void note(Sources& sources, const std::string& path, const YAML::Node& node, const Origin& origin) {
    sources.origins[path] = origin;
    if (!node.IsMap()) {
        sources.settings[path].push_back({.value = value_text(node), .origin = origin});
    }
}

/// `whole`: one origin for all, else each key has the line it stands on in `origin.place`.
void merge(Sources& sources, YAML::Node into, const YAML::Node& from, const std::string& path,
           const Origin& origin, bool whole) {
    for (const auto& item : from) {
        const auto key = item.first.Scalar();
        const auto full = join(path, key);
        auto here = origin;
        here.line = whole ? origin.line : item.first.Mark().line + 1;
        note(sources, full, item.second, here);
        const YAML::Node& constant = into;
        const auto present = constant[key];
        if (item.second.IsNull() && present) {
            into.remove(key);
        } else if (item.second.IsMap() && present && present.IsMap()) {
            merge(sources, into[key], item.second, full, origin, whole);
        } else if (item.second.IsMap()) {
            auto section = YAML::Node(YAML::NodeType::Map);
            merge(sources, section, item.second, full, origin, whole);
            into[key] = section;
        } else {
            into[key] = item.second;
        }
    }
}

Result<> add_text(Sources& sources, const std::string& text, const std::string& place) {
    try {
        const auto document = YAML::Load(text);
        if (!document.IsMap()) {
            return fail(Errc::invalid,
                        fmt::format("{}:1: the file must be a mapping of sections", place),
                        "it should look like patroni.yml: scope, name, restapi, etcd3, bootstrap, "
                        "postgresql");
        }
        merge(sources, sources.document, document, "", {.place = place}, false);
    } catch (const YAML::Exception& e) {
        return fail(Errc::invalid,
                    fmt::format("{}:{}: not valid YAML: {}", place, e.mark.line + 1, e.msg),
                    "look at the indentation and the quotes of that line");
    }
    return {};
}

Result<> add_file(Sources& sources, const std::string& file) {
    std::ifstream in(file);
    std::ostringstream text;
    if (fs::is_directory(file) || !in || !(text << in.rdbuf())) {
        return fail(Errc::not_found, fmt::format("{}: can't be read", file),
                    "name a patroni.yml with -c FILE or the environment variable HOWDAH_CONFIG");
    }
    return add_text(sources, text.str(), file);
}

Result<std::vector<std::string>> files_in(const std::string& directory) {
    std::vector<std::string> out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        const auto extension = entry.path().extension();
        if (extension == ".yml" || extension == ".yaml") {
            out.push_back(entry.path().string());
        }
    }
    if (out.empty()) {
        return fail(Errc::not_found,
                    fmt::format("{}: holds no *.yml and no *.yaml that can be read", directory),
                    "name a patroni.yml, or a directory of such files");
    }
    std::ranges::sort(out);
    return out;
}

void add_assignment(Sources& sources, const Assignment& assignment) {
    const Origin origin{.place = "environment " + assignment.variable};
    auto node = assignment.value;
    auto path = assignment.path;
    for (auto dot = path.rfind('.'); dot != std::string::npos; dot = path.rfind('.')) {
        YAML::Node outer(YAML::NodeType::Map);
        outer[path.substr(dot + 1)] = node;
        node = outer;
        path.erase(dot);
    }
    YAML::Node document(YAML::NodeType::Map);
    document[path] = node;
    merge(sources, sources.document, document, "", origin, true);
}

}  // namespace

std::string Origin::text() const {
    return line > 0 ? fmt::format("{}:{}", place, line) : place;
}

Origin Sources::origin_of(const std::string& path) const {
    for (auto up = path; !up.empty(); up = up.substr(0, up.rfind('.'))) {
        if (const auto it = origins.find(up); it != origins.end()) {
            return it->second;
        }
        if (up.find('.') == std::string::npos) {
            break;
        }
    }
    return {};
}

Result<Sources> gather(const std::string& file, const Environment& environment) {
    Sources sources;
    if (file.empty()) {
        const auto whole = environment.find("PATRONI_CONFIGURATION");
        if (whole != environment.end() && !whole->second.empty()) {
            HD_TRY_VOID(add_text(sources, whole->second, "PATRONI_CONFIGURATION"));
            return sources;
        }
    } else if (fs::is_directory(file)) {
        HD_TRY(const auto files, files_in(file));
        for (const auto& one : files) {
            HD_TRY_VOID(add_file(sources, one));
        }
    } else {
        HD_TRY_VOID(add_file(sources, file));
    }
    HD_TRY(const auto assignments, read_environment(environment));
    for (const auto& assignment : assignments) {
        add_assignment(sources, assignment);
    }
    if (sources.origins.empty()) {
        return fail(Errc::not_found, "no configuration: neither a file nor PATRONI_* variables",
                    "name a patroni.yml, or set PATRONI_SCOPE, PATRONI_NAME and so on");
    }
    return sources;
}

Result<Sources> gather_text(const std::string& text, const std::string& file) {
    Sources sources;
    HD_TRY_VOID(add_text(sources, text, file));
    return sources;
}

}  // namespace howdah::config
