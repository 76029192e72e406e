#include "backup/command/restore/restore_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "backup/local_file.h"
#include "backup/options/exit_code.h"
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
        if (name == "pg_data/backup.manifest" || (preserve_ && is_recovery_setting(name))) {
            return {};
        }
        if (S_ISDIR(found.st_mode) && is_folder(name) && !is_link(path)) {
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

/// Only root may give a file away.
Result<> set_owner(const std::string& path, const std::string& user, const std::string& group) {
    if (geteuid() != 0) {
        return {};
    }
    const auto user_id = number_of(getpwnam(user.c_str()), &passwd::pw_uid);
    const auto group_id = number_of(getgrnam(group.c_str()), &group::gr_gid);
    return lchown(path.c_str(), user_id.value_or(-1), group_id.value_or(-1)) == 0
               ? Result<>{}
               : io::fail_errno(fmt::format("give {} to {}", path, user));
}

/// In one step: a restore that goes on after it was broken off finds its folders by their links.
Result<> make_link(const RestoredLink& link, const repo::ManifestDefaults& owner) {
    HD_TRY_VOID(io::make_directories(fs::path(link.path).parent_path().string()));
    const auto beside = link.path + ".pgbackrest.tmp";
    HD_TRY_VOID(remove_local(beside));
    std::error_code error;
    fs::create_symlink(link.destination, beside, error);
    if (!error) {
        HD_TRY_VOID(set_owner(beside, owner.user, owner.group));
        fs::rename(beside, link.path, error);
    }
    return error ? fail(Errc::io, fmt::format("cannot make the link {} to {}: {}", link.path,
                                              link.destination, error.message()))
                 : Result<>{};
}

/// Whether the data directory that is there uses this place already.
bool leads_to(const RestoreMap& map, const std::string& name, const std::string& path) {
    const std::string_view data_name = "pg_data";
    const auto in_data = map.data_directory() +
                         (name.starts_with(data_name) ? name.substr(data_name.size()) : "/" + name);
    std::error_code error;
    return fs::equivalent(in_data, path, error) && !error;
}

/// nullopt: there is no such folder.
Result<std::optional<bool>> is_empty_folder(const std::string& path) {
    std::error_code error;
    const auto status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) {
        return std::nullopt;
    }
    if (!error && !fs::is_directory(status)) {
        return fail(Errc::conflict, fmt::format("{} is no folder", path));
    }
    const auto empty = !error && fs::is_empty(path, error);
    if (error) {
        return fail(Errc::io, fmt::format("cannot look into {}: {}", path, error.message()));
    }
    return empty;
}

}  // namespace

Result<> check_places(const RestoreMap& map, bool keep) {
    for (const auto& [name, path] : map.own_folders()) {
        HD_TRY(const auto empty, is_empty_folder(path));
        if (empty.value_or(true) || (keep && leads_to(map, name, path))) {
            continue;
        }
        return fail(Errc::conflict, fmt::format("unable to restore to {}: it is not empty", path),
                    keep ? "no link of the data directory leads there: it may belong to another "
                           "cluster; empty it if it does not"
                         : "--delta keeps what is right there already, and replaces the rest");
    }
    for (const auto& [name, path] : map.own_files()) {
        HD_TRY(const auto taken, is_there(path));
        if (taken && !(keep && leads_to(map, name, path))) {
            return fail_with(ExitCode::file_exists, Errc::conflict,
                             fmt::format("unable to restore file {}: it exists already", path),
                             "another cluster may use it: move it away if none does, or let "
                             "--link-map put it elsewhere");
        }
    }
    return {};
}

Result<io::Fd> lock_folder(const std::string& data_directory) {
    HD_TRY_VOID(io::make_directories(data_directory));
    io::Fd fd(open(data_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        return io::fail_errno(fmt::format("open {}", data_directory));
    }
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? fail_with(ExitCode::lock_acquire, Errc::conflict,
                               fmt::format("another restore works in {}", data_directory),
                               "wait for it")
                   : io::fail_errno(fmt::format("lock {}", data_directory));
    }
    return fd;
}

Result<> disarm(const std::string& data_directory) {
    const auto folder = data_directory + "/global";
    HD_TRY(const auto armed, is_there(folder + "/pg_control"));
    if (!armed) {
        return {};
    }
    HD_TRY_VOID(remove_local(folder + "/pg_control"));
    return io::sync_folder(folder);
}

Result<> clean_folders(const RestoreMap& map, const repo::Manifest& manifest, bool preserve) {
    Cleaner cleaner(map, manifest, preserve);
    for (const auto& [name, path] : map.own_folders()) {
        HD_TRY_VOID(cleaner.clean(name, path));
    }
    return {};
}

Result<> make_folders(const RestoreMap& map, const repo::ManifestHeader& header) {
    for (const auto& [name, path] : map.own_folders()) {
        HD_TRY_VOID(io::make_directories(path));
    }
    for (const auto& link : map.links()) {
        HD_TRY_VOID(make_link(link, header.defaults));
    }
    const auto& defaults = header.defaults;
    for (const auto& each : header.paths) {
        const auto path = map.path_of(each.name);
        HD_TRY_VOID(io::make_directories(path));
        HD_TRY_VOID(set_ownership(path, {.mode = each.mode.value_or(defaults.path_mode),
                                         .user = each.user.value_or(defaults.user),
                                         .group = each.group.value_or(defaults.group)}));
    }
    return {};
}

Result<> set_ownership(const std::string& path, const Ownership& ownership) {
    HD_TRY_VOID(set_owner(path, ownership.user, ownership.group));
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
