#include "backup/command/restore/restore_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "backup/options/exit_code.h"

namespace howdah::backup {
namespace {

constexpr std::string_view data_prefix = "pg_data/";

bool lies_in(std::string_view path, std::string_view folder) {
    return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

/// Without "..", and without a slash at the end.
std::string plain_path(const std::filesystem::path& path) {
    auto text = path.lexically_normal().string();
    if (text.size() > 1 && text.ends_with('/')) {
        text.pop_back();
    }
    return text;
}

/// The folder of a tablespace that belongs to this cluster: "PG_15_202209061".
std::string version_folder(const repo::BackedUpCluster& cluster) {
    return fmt::format("PG_{}_{}", cluster.version, cluster.catalog_version);
}

std::unexpected<Error> no_such_target(ExitCode code, std::string_view option, std::string_view name,
                                      std::string_view path) {
    return fail_with(code, Errc::invalid,
                     fmt::format("--{}={}={}: the backup has no such target", option, name, path));
}

Result<> check_tablespace_map(const repo::ManifestHeader& header,
                              const std::map<std::string, std::string>& given) {
    for (const auto& [name, path] : given) {
        const auto fits = [&](const repo::ManifestTarget& target) {
            return target.tablespace &&
                   (target.tablespace_name == name || std::to_string(*target.tablespace) == name);
        };
        if (!std::ranges::any_of(header.targets, fits)) {
            return no_such_target(ExitCode::tablespace_map, "tablespace-map", name, path);
        }
        if (!path.starts_with('/')) {
            return fail(
                Errc::invalid,
                fmt::format("--tablespace-map={}={}: the path must be absolute", name, path));
        }
    }
    return {};
}

}  // namespace

Result<RestoreMap> RestoreMap::make(const repo::Manifest& manifest,
                                    const std::string& data_directory,
                                    const RestoreOptions& options) {
    RestoreMap map;
    const auto& header = manifest.header;
    map.roots_["pg_data"] = data_directory;
    map.own_folders_["pg_data"] = data_directory;
    HD_TRY_VOID(check_tablespace_map(header, options.tablespace_map));
    for (const auto& target : header.targets) {
        if (target.tablespace) {
            HD_TRY_VOID(map.add_tablespace(header, target, options));
        } else if (target.is_link) {
            map.add_link(target, options);
        }
    }
    for (const auto& [below, destination] : options.link_map) {
        if (!map.roots_.contains(std::string(data_prefix) + below)) {
            HD_TRY_VOID(map.add_new_link(manifest, below, destination));
        }
    }
    HD_TRY_VOID(map.check_apart());
    return map;
}

Result<> RestoreMap::add_tablespace(const repo::ManifestHeader& header,
                                    const repo::ManifestTarget& target,
                                    const RestoreOptions& options) {
    const auto oid = std::to_string(*target.tablespace);
    auto path = target.path;
    if (!options.tablespace_map_all.empty()) {
        path = options.tablespace_map_all + "/" + target.tablespace_name;
    }
    for (const auto& name : {target.tablespace_name, oid}) {
        if (const auto found = options.tablespace_map.find(name);
            found != options.tablespace_map.end()) {
            path = found->second;
        }
    }
    const auto plain = plain_path(path);
    if (!plain.starts_with('/') || target.tablespace_name.contains('/')) {
        return fail(Errc::unsafe,
                    fmt::format("tablespace {} ({}) would go to '{}', which is no absolute path",
                                target.tablespace_name, oid, path),
                    "--tablespace-map=" + oid + "=PATH puts it elsewhere");
    }
    roots_[target.name] = plain;
    // Other clusters may have folders beside this one.
    const auto version = version_folder(header.cluster);
    own_folders_[target.name + "/" + version] = plain + "/" + version;
    links_.push_back({.path = roots_.at("pg_data") + "/pg_tblspc/" + oid, .destination = plain});
    return {};
}

void RestoreMap::add_link(const repo::ManifestTarget& target, const RestoreOptions& options) {
    const auto below = target.name.substr(data_prefix.size());
    auto destination = target.file.empty() ? target.path : target.path + "/" + target.file;
    if (const auto mapped = options.link_map.find(below); mapped != options.link_map.end()) {
        destination = mapped->second;
    } else if (!options.link_all) {
        plain_links_.push_back(below);
        return;
    }
    add_link_to(target.name, destination, !target.file.empty());
}

Result<> RestoreMap::add_new_link(const repo::Manifest& manifest, const std::string& below,
                                  const std::string& destination) {
    const auto name = std::string(data_prefix) + below;
    const auto is_file = manifest.files.find(name).has_value();
    const auto is_folder = std::ranges::any_of(
        manifest.header.paths, [&](const repo::ManifestPath& path) { return path.name == name; });
    // Links in pg_tblspc are PostgreSQL's own, and so is what says that a restore was broken off.
    if ((!is_file && !is_folder) || below.starts_with("pg_tblspc") || below == "global" ||
        below == "global/pg_control") {
        return no_such_target(ExitCode::link_map, "link-map", below, destination);
    }
    add_link_to(name, destination, is_file);
    return {};
}

void RestoreMap::add_link_to(const std::string& name, const std::string& destination,
                             bool is_file) {
    const auto place = roots_.at("pg_data") + "/" + name.substr(data_prefix.size());
    const auto real = plain_path(std::filesystem::path(place).parent_path() / destination);
    roots_[name] = real;
    (is_file ? own_files_ : own_folders_)[name] = real;
    links_.push_back({.path = place, .destination = destination});
}

Result<> RestoreMap::check_apart() const {
    std::vector<std::string> all;
    for (const auto& [name, path] : roots_) {
        all.push_back(path);
    }
    for (std::size_t a = 0; a < all.size(); ++a) {
        for (std::size_t b = 0; b < all.size(); ++b) {
            if (a != b && lies_in(all[a], all[b])) {
                return fail(
                    Errc::unsafe,
                    fmt::format("two parts of the backup would lie in each other: {} and {}",
                                all[b], all[a]),
                    "--tablespace-map and --link-map put them elsewhere");
            }
        }
    }
    return {};
}

std::string RestoreMap::path_of(std::string_view name) const {
    for (auto end = name.size(); end != std::string_view::npos; end = name.rfind('/', end - 1)) {
        if (const auto root = roots_.find(name.substr(0, end)); root != roots_.end()) {
            return root->second + std::string(name.substr(end));
        }
        if (end == 0) {
            break;
        }
    }
    // "pg_tblspc" itself stands beside pg_data in a manifest.
    return roots_.at("pg_data") + "/" + std::string(name);
}

}  // namespace howdah::backup
