#include "backup/restore_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "io/fd.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

namespace fs = std::filesystem;

Result<> remove_all(const std::string& path) {
    std::error_code error;
    fs::remove_all(path, error);
    return error ? fail(Errc::io, fmt::format("cannot remove {}: {}", path, error.message()))
                 : Result<>{};
}

bool is_recovery_setting(std::string_view name) {
    return name == "pg_data/postgresql.auto.conf" || name == "pg_data/recovery.signal" ||
           name == "pg_data/standby.signal" || name == "pg_data/recovery.conf";
}

/// Removes what does not belong, folder by folder.
class Cleaner {
public:
    Cleaner(const RestoreMap& map, const repo::Manifest& manifest, bool preserve)
        : map_(map), manifest_(manifest), preserve_(preserve) {}

    Result<> clean(const std::string& name, const std::string& path) {
        std::vector<std::string> below;
        std::error_code error;
        for (fs::directory_iterator at(path, error); !error && at != fs::directory_iterator();
             at.increment(error)) {
            below.push_back(at->path().filename().string());
        }
        if (error && error != std::errc::no_such_file_or_directory) {
            return fail(Errc::io, fmt::format("cannot read {}: {}", path, error.message()));
        }
        for (const auto& each : below) {
            HD_TRY_VOID(clean_one(name + "/" + each, path + "/" + each));
        }
        return {};
    }

private:
    Result<> clean_one(const std::string& name, const std::string& path) {
        struct stat found{};
        if (lstat(path.c_str(), &found) != 0) {
            return io::fail_errno(path);
        }
        if (preserve_ && is_recovery_setting(name)) {
            return {};
        }
        if (S_ISDIR(found.st_mode) && is_folder(name)) {
            return clean(name, path);
        }
        const auto stays =
            (S_ISREG(found.st_mode) && manifest_.files.find(name) && map_.path_of(name) == path) ||
            (S_ISLNK(found.st_mode) && is_link(path));
        return stays ? Result<>{} : remove_all(path);
    }
    bool is_folder(const std::string& name) const {
        const auto& paths = manifest_.header.paths;
        const auto inside = name.starts_with("pg_data/pg_tblspc") ? name.substr(8) : name;
        return std::ranges::binary_search(paths, inside, {}, &repo::ManifestPath::name) ||
               std::ranges::binary_search(paths, name, {}, &repo::ManifestPath::name);
    }
    bool is_link(const std::string& path) const {
        return std::ranges::find(map_.links(), path, &RestoredLink::path) != map_.links().end();
    }

    const RestoreMap& map_;
    const repo::Manifest& manifest_;
    bool preserve_;
};

template <class Found>
std::optional<std::uint32_t> number_of(const Found* found, auto id) {
    return found == nullptr ? std::nullopt : std::optional<std::uint32_t>(found->*id);
}

Result<> make_link(const RestoredLink& link) {
    std::error_code error;
    if (fs::is_symlink(fs::symlink_status(link.path, error))) {
        fs::remove(link.path, error);
    }
    HD_TRY_VOID(io::make_directories(fs::path(link.path).parent_path().string()));
    fs::create_symlink(link.destination, link.path, error);
    return error ? fail(Errc::io, fmt::format("cannot make the link {} to {}: {}", link.path,
                                              link.destination, error.message()))
                 : Result<>{};
}

}  // namespace

Result<> check_folders(const RestoreMap& map, bool keep) {
    for (const auto& [name, path] : map.own_folders()) {
        std::error_code error;
        const auto status = fs::status(path, error);
        if (!fs::exists(status)) {
            continue;
        }
        if (!fs::is_directory(status)) {
            return fail(Errc::conflict, fmt::format("{} is no folder", path));
        }
        if (!keep && !fs::is_empty(path, error)) {
            return fail(Errc::conflict,
                        fmt::format("unable to restore to {}: it is not empty", path),
                        "--delta keeps what is right there already, and replaces the rest");
        }
    }
    return {};
}

Result<> clean_folders(const RestoreMap& map, const repo::Manifest& manifest, bool preserve) {
    Cleaner cleaner(map, manifest, preserve);
    for (const auto& [name, path] : map.own_folders()) {
        HD_TRY_VOID(cleaner.clean(name, path));
    }
    return {};
}

Result<> make_folders(const RestoreMap& map, const repo::ManifestHeader& header) {
    HD_TRY_VOID(io::make_directories(map.data_directory()));
    const auto& defaults = header.defaults;
    for (const auto& each : header.paths) {
        const auto path = map.path_of(each.name);
        HD_TRY_VOID(io::make_directories(path));
        HD_TRY_VOID(set_ownership(path, {.mode = each.mode.value_or(defaults.path_mode),
                                         .user = each.user.value_or(defaults.user),
                                         .group = each.group.value_or(defaults.group)}));
    }
    for (const auto& link : map.links()) {
        HD_TRY_VOID(make_link(link));
    }
    return {};
}

Result<> set_ownership(const std::string& path, const Ownership& ownership) {
    if (geteuid() == 0) {
        const auto user = number_of(getpwnam(ownership.user.c_str()), &passwd::pw_uid);
        const auto group = number_of(getgrnam(ownership.group.c_str()), &group::gr_gid);
        if (lchown(path.c_str(), user.value_or(-1), group.value_or(-1)) != 0) {
            return io::fail_errno(fmt::format("give {} to {}", path, ownership.user));
        }
    }
    if (chmod(path.c_str(), ownership.mode) != 0) {
        return io::fail_errno(fmt::format("set the mode of {}", path));
    }
    return {};
}

Result<> make_durable(const RestoreMap& map) {
    for (const auto& [name, path] : map.own_folders()) {
        const io::Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (fd && syncfs(fd.get()) != 0) {
            return io::fail_errno(fmt::format("write {} to disk", path));
        }
    }
    return {};
}

}  // namespace howdah::backup
