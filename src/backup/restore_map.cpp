#include "backup/restore_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

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

Result<> known(const std::map<std::string, std::string>& given, std::string_view option,
               const auto& is_there) {
    for (const auto& [name, path] : given) {
        if (!is_there(name)) {
            return fail(Errc::invalid, fmt::format("--{}={}={}: the backup has no such target",
                                                   option, name, path));
        }
        if (option == "tablespace-map" && !path.starts_with('/')) {
            return fail(Errc::invalid,
                        fmt::format("--{}={}={}: the path must be absolute", option, name, path));
        }
    }
    return {};
}

}  // namespace

Result<RestoreMap> RestoreMap::make(const repo::ManifestHeader& header,
                                    const std::string& data_directory,
                                    const RestoreOptions& options) {
    RestoreMap map;
    map.roots_["pg_data"] = data_directory;
    map.own_folders_["pg_data"] = data_directory;
    const auto any = [&](auto fits) { return std::ranges::any_of(header.targets, fits); };
    HD_TRY_VOID(known(options.tablespace_map, "tablespace-map", [&](const std::string& name) {
        return any([&](const repo::ManifestTarget& t) {
            return t.tablespace &&
                   (t.tablespace_name == name || std::to_string(*t.tablespace) == name);
        });
    }));
    HD_TRY_VOID(known(options.link_map, "link-map", [&](const std::string& name) {
        return any([&](const repo::ManifestTarget& t) {
            return t.is_link && !t.tablespace && t.name == std::string(data_prefix) + name;
        });
    }));
    for (const auto& target : header.targets) {
        if (target.tablespace) {
            HD_TRY_VOID(map.add_tablespace(header, target, options));
        } else if (target.is_link) {
            map.add_link(target, options);
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
    const auto place = roots_.at("pg_data") + "/" + below;
    auto destination = target.file.empty() ? target.path : target.path + "/" + target.file;
    if (const auto mapped = options.link_map.find(below); mapped != options.link_map.end()) {
        destination = mapped->second;
    } else if (!options.link_all) {
        plain_links_.push_back(below);
        return;
    }
    const auto folder = std::filesystem::path(place).parent_path();
    const auto real = plain_path(folder / destination);
    roots_[target.name] = real;
    if (target.file.empty()) {
        own_folders_[target.name] = real;
    }
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
