#include "backup/command/backup/listing.h"

#include <dirent.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>

#include "backup/options/exit_code.h"
#include "io/files.h"
#include "repo/plan/left_out.h"

namespace howdah::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view root = "pg_data";
constexpr std::string_view spaces = "pg_data/pg_tblspc";

/// Names of the owners of files; each number is looked up once.
class Owners {
public:
    const std::string& user(uid_t id) {
        return name(users_, id, [](uid_t number) {
            const auto* found = getpwuid(number);
            return std::string(found == nullptr ? "" : found->pw_name);
        });
    }
    const std::string& group(gid_t id) {
        return name(groups_, id, [](gid_t number) {
            const auto* found = getgrgid(number);
            return std::string(found == nullptr ? "" : found->gr_name);
        });
    }

private:
    static const std::string& name(std::map<unsigned, std::string>& known, unsigned id,
                                   std::string (*look_up)(unsigned)) {
        const auto [at, is_new] = known.try_emplace(id);
        if (is_new) {
            at->second = look_up(id);
        }
        return at->second;
    }

    std::map<unsigned, std::string> users_{}, groups_{};
};

/// nullopt: it has vanished.
Result<std::optional<struct stat>> look(const std::string& path, bool follow) {
    struct stat found{};
    if ((follow ? stat(path.c_str(), &found) : lstat(path.c_str(), &found)) == 0) {
        return found;
    }
    if (errno == ENOENT || errno == ENOTDIR) {
        return std::nullopt;
    }
    return io::fail_errno(fmt::format("look at {}", path));
}

/// In the order of bytes; nothing when the folder has vanished.
Result<std::vector<std::string>> names_in(const std::string& folder) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
    std::vector<std::string> names;
    if (!dir) {
        return errno == ENOENT ? Result<std::vector<std::string>>(names)
                               : io::fail_errno(fmt::format("list {}", folder));
    }
    while (const auto* found = readdir(dir.get())) {
        const std::string_view name = found->d_name;
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
    std::ranges::sort(names);
    return names;
}

std::optional<std::uint32_t> oid_of(std::string_view text) {
    std::uint32_t oid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), oid);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(oid)
                                                                    : std::nullopt;
}

class Listing {
public:
    Listing(const ListOrder& order, repo::Manifest& manifest, const Notes& notes)
        : order_(order), manifest_(manifest), notes_(notes) {
        const auto& version = order.cluster.version;
        std::from_chars(version.data(), version.data() + version.size(), major_);
    }

    Result<> run() {
        HD_TRY(const auto found, look(order_.data, true));
        if (!found) {
            return fail_with(ExitCode::path_missing, Errc::not_found,
                             fmt::format("data directory {} is not there", order_.data));
        }
        const auto mode = static_cast<std::uint16_t>(found->st_mode & 07777);
        header().defaults = {.user = owners_.user(found->st_uid),
                             .group = owners_.group(found->st_gid),
                             .file_mode = static_cast<std::uint16_t>(mode & 0640),
                             .path_mode = mode};
        header().targets.push_back({.name = std::string(root), .path = order_.data});
        add_path(std::string(root), *found);
        HD_TRY_VOID(list(std::string(root), order_.data));
        HD_TRY_VOID(check_links());
        header().sort();
        manifest_.files.sort();
        return {};
    }

private:
    repo::ManifestHeader& header() { return manifest_.header; }

    /// What is in one folder, and below it.
    Result<> list(const std::string& name, const std::string& path) {
        HD_TRY(const auto names, names_in(path));
        const auto unlogged = unlogged_in(name, names);
        for (const auto& each : names) {
            const auto relation = repo::relation_of(each);
            if (unlogged.contains(relation) && repo::unlogged_relation(each).empty()) {
                continue;
            }
            HD_TRY_VOID(one(name, name + "/" + each, path + "/" + each));
        }
        return {};
    }

    /// Relations of a database's folder of which only the _init fork is taken.
    static std::set<std::string_view> unlogged_in(std::string_view folder,
                                                  const std::vector<std::string>& names) {
        std::set<std::string_view> unlogged;
        if (folder.starts_with("pg_data/base/") || folder.starts_with("pg_tblspc/")) {
            for (const auto& name : names) {
                unlogged.insert(repo::unlogged_relation(name));
            }
        }
        unlogged.erase("");
        return unlogged;
    }

    Result<> one(const std::string& folder, const std::string& name, const std::string& path) {
        HD_TRY(const auto found, look(path, false));
        if (!found) {
            return {};
        }
        if (is_excluded(name)) {
            notes_.info(fmt::format("exclude '{}' from backup using 'exclude'", path));
            return {};
        }
        if (name.contains('\n')) {
            return fail_with(ExitCode::file_invalid, Errc::invalid,
                             fmt::format("the name of {:?} holds a line break, which a manifest "
                                         "cannot hold",
                                         path),
                             "rename it, or leave it out with --exclude");
        }
        const auto take =
            repo::take({.name = name, .is_folder = S_ISDIR(found->st_mode)}, major_, order_.online);
        if (take == repo::Take::nothing) {
            return {};
        }
        if (folder == spaces) {
            return tablespace(name, path, *found);
        }
        if (S_ISLNK(found->st_mode)) {
            return link(name, path, *found);
        }
        return thing(name, path, *found);
    }

    /// A file or a folder.
    Result<> thing(const std::string& name, const std::string& path, const struct stat& found) {
        if (S_ISREG(found.st_mode)) {
            add_file(name, found);
            return {};
        }
        if (!S_ISDIR(found.st_mode)) {
            notes_.warn(fmt::format("exclude special file '{}' from backup", path));
            return {};
        }
        add_path(name, found);
        const auto take = repo::take({.name = name, .is_folder = true}, major_, order_.online);
        return take == repo::Take::all && !is_excluded(name + "/") ? list(name, path) : Result<>{};
    }

    bool is_excluded(const std::string& name) const {
        return std::ranges::any_of(order_.excludes, [&](const std::string& each) {
            return name.size() == root.size() + 1 + each.size() && name.starts_with(root) &&
                   name.ends_with("/" + each);
        });
    }

    Result<> link(const std::string& name, const std::string& path, const struct stat& found) {
        HD_TRY(const auto target, target_of(path));
        HD_TRY(const auto behind, look(path, true));
        if (!behind) {
            return {};
        }
        repo::ManifestTarget entry{.name = name, .is_link = true, .path = target};
        if (S_ISREG(behind->st_mode)) {
            entry.path = fs::path(target).parent_path().string();
            entry.file = fs::path(target).filename().string();
        }
        header().targets.push_back(entry);
        add_link(name, target, found);
        followed_.emplace(fs::canonical(path).string(), name);
        return thing(name, path, *behind);
    }

    /// "pg_tblspc/16389" -> its folder of this version of PostgreSQL.
    Result<> tablespace(const std::string& name, const std::string& path,
                        const struct stat& found) {
        const auto oid = oid_of(name.substr(spaces.size() + 1));
        if (!S_ISLNK(found.st_mode) || !oid) {
            return fail_with(ExitCode::link_expected, Errc::invalid,
                             fmt::format("'{}' is not a symlink - pg_tblspc should contain only "
                                         "symlinks",
                                         path),
                             "move it away, or name it with --exclude");
        }
        HD_TRY(const auto target, target_of(path));
        HD_TRY(const auto behind, look(path, true));
        if (!behind) {
            return {};
        }
        const auto here = fmt::format("pg_tblspc/{}", *oid);
        header().targets.push_back({.name = here,
                                    .is_link = true,
                                    .path = target,
                                    .tablespace = oid,
                                    .tablespace_name = tablespace_name(*oid)});
        add_link(name, target, found);
        followed_.emplace(fs::canonical(path).string(), name);
        if (header().targets.size() > 1 && !spaces_listed_) {
            HD_TRY(const auto all, look(order_.data + "/pg_tblspc", true));
            add_path("pg_tblspc", all.value_or(found));
            spaces_listed_ = true;
        }
        add_path(here, *behind);
        const auto version =
            fmt::format("PG_{}_{}", order_.cluster.version, order_.cluster.catalog_version);
        HD_TRY(const auto inside, look(path + "/" + version, false));
        return inside ? thing(here + "/" + version, path + "/" + version, *inside) : Result<>{};
    }

    std::string tablespace_name(std::uint32_t oid) const {
        const auto known = std::ranges::find(order_.tablespaces, oid, &ServerTablespace::oid);
        return known == order_.tablespaces.end() ? fmt::format("ts{}", oid) : known->name;
    }

    /// What a link says. Errors: it leads nowhere, to another link, or back into the directory.
    Result<std::string> target_of(const std::string& path) const {
        std::error_code error;
        auto target = fs::read_symlink(path, error);
        const auto whole = target.is_absolute() ? target : fs::path(path).parent_path() / target;
        const auto status = error ? fs::file_status() : fs::symlink_status(whole, error);
        const auto wrong = [&](std::string_view why) {
            return fail_with(
                ExitCode::link_destination, Errc::invalid,
                fmt::format("link '{}' destination '{}' {}", path, target.string(), why),
                "change the link, or name it with --exclude");
        };
        if (error || !fs::exists(status)) {
            return wrong("is not there");
        }
        if (fs::is_symlink(status)) {
            return wrong("is a link, too");
        }
        const auto real = fs::canonical(whole, error).string() + "/";
        const auto data = fs::canonical(order_.data, error).string() + "/";
        if (error || real.starts_with(data) || data.starts_with(real)) {
            return wrong(error ? "cannot be followed" : "is in PGDATA");
        }
        return target.string();
    }

    /// No two links may lead to the same folder, or one into the other's.
    Result<> check_links() const {
        for (const auto& [outer, outer_name] : followed_) {
            for (const auto& [real, name] : followed_) {
                if (name != outer_name && (real + "/").starts_with(outer + "/")) {
                    return fail_with(ExitCode::link_destination, Errc::invalid,
                                     fmt::format("link '{}' leads to {}, which is in that of '{}'",
                                                 name, real, outer_name),
                                     "its files would be there twice: change the links");
                }
            }
        }
        return {};
    }

    template <class Entry>
    void set_owner(Entry& entry, const struct stat& found) {
        const auto& user = owners_.user(found.st_uid);
        const auto& group = owners_.group(found.st_gid);
        if (user != header().defaults.user) {
            entry.user = user;
        }
        if (group != header().defaults.group) {
            entry.group = group;
        }
    }
    static std::optional<std::uint16_t> other_mode(const struct stat& found, std::uint16_t usual) {
        const auto mode = static_cast<std::uint16_t>(found.st_mode & 07777);
        return mode == usual ? std::nullopt : std::optional(mode);
    }

    void add_path(const std::string& name, const struct stat& found) {
        repo::ManifestPath path{.name = name,
                                .mode = other_mode(found, header().defaults.path_mode)};
        set_owner(path, found);
        header().paths.push_back(std::move(path));
    }
    void add_link(const std::string& name, const std::string& target, const struct stat& found) {
        repo::ManifestLink link{.name = name, .destination = target};
        set_owner(link, found);
        header().links.push_back(std::move(link));
    }
    void add_file(const std::string& name, const struct stat& found) {
        repo::ManifestFile file{.name = name,
                                .size = static_cast<std::uint64_t>(found.st_size),
                                .modified = found.st_mtim.tv_sec,
                                .mode = other_mode(found, header().defaults.file_mode)};
        set_owner(file, found);
        manifest_.files.add(file);
    }

    const ListOrder& order_;
    repo::Manifest& manifest_;
    const Notes& notes_;
    int major_ = 0;
    Owners owners_{};
    bool spaces_listed_ = false;
    std::multimap<std::string, std::string> followed_{};  ///< real path -> name of the link
};

}  // namespace

Result<> list_cluster(const ListOrder& order, repo::Manifest& manifest, const Notes& notes) {
    return Listing(order, manifest, notes).run();
}

bool is_replicated(std::string_view name) {
    constexpr std::array<std::string_view, 5> folders{"pg_data/base/", "pg_data/global/",
                                                      "pg_data/pg_xact/", "pg_data/pg_multixact/",
                                                      "pg_tblspc/"};
    return name != "pg_data/global/pg_control" &&
           std::ranges::any_of(folders, [&](auto folder) { return name.starts_with(folder); });
}

std::string origin_path(const std::string& data, std::string_view name) {
    return name.starts_with("pg_data/") ? data + std::string(name.substr(root.size()))
                                        : data + "/" + std::string(name);
}

}  // namespace howdah::backup
