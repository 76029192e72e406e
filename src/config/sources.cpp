#include "config/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/yaml_document.h"

namespace howdah::config {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
}

std::string value_text(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

void note(Sources& sources, const std::string& path, const Json& value, const Origin& origin) {
    sources.origins[path] = origin;
    if (!value.is_object()) {
        sources.settings[path].push_back({.value = value_text(value), .origin = origin});
    }
}

/// `lines`: of the keys of `from`; nullptr: one origin for all.
void merge(Sources& sources, Json& into, const Json& from, const std::string& path,
           const Origin& origin, const std::map<std::string, int>* lines) {
    for (const auto& [key, value] : from.items()) {
        const auto full = join(path, key);
        auto here = origin;
        if (lines != nullptr) {
            here.line = lines->at(full);
        }
        note(sources, full, value, here);
        const auto present = into.find(key);
        if (value.is_null() && present != into.end()) {
            into.erase(key);
        } else if (value.is_object()) {
            if (present == into.end() || !present->is_object()) {
                into[key] = Json::object();
            }
            merge(sources, into[key], value, full, origin, lines);
        } else {
            into[key] = value;
        }
    }
}

Result<> add_text(Sources& sources, const std::string& text, const std::string& place) {
    HD_TRY(const auto document, read_yaml(text, place));
    if (!document.value.is_object()) {
        return fail(Errc::invalid,
                    fmt::format("{}:1: the file must be a mapping of sections{}", place,
                                document.value.is_null() ? "; it is empty" : ""),
                    "it should look like patroni.yml: scope, name, restapi, etcd3, bootstrap, "
                    "postgresql");
    }
    merge(sources, sources.document, document.value, "", {.place = place}, &document.lines);
    for (const auto& [path, line] : document.lines) {
        sources.written.erase(path);
    }
    for (const auto& [path, written] : document.written) {
        sources.written[path] = written;
    }
    for (const auto& remark : document.remarks) {
        sources.remarks.push_back({.path = remark.path,
                                   .origin = {.place = place, .line = remark.line},
                                   .text = remark.text});
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
    auto document = assignment.value;
    auto path = assignment.path;
    sources.written.erase(path);
    while (!path.empty()) {
        const auto dot = path.rfind('.');
        const auto key = dot == std::string::npos ? path : path.substr(dot + 1);
        auto outer = Json::object();
        outer[key] = std::move(document);
        document = std::move(outer);
        path.erase(dot == std::string::npos ? 0 : dot);
    }
    merge(sources, sources.document, document, "", origin, nullptr);
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
