#include "backup/command/archive/push_plan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <set>

#include "io/files.h"
#include "repo/archive_name.h"

namespace howdah::backup {
namespace {

constexpr std::string_view ok = ".ok";
constexpr std::string_view ready_mark = ".ready";

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::int64_t arrival(const struct stat& found) {
    return std::max(nanoseconds(found.st_mtim), nanoseconds(found.st_ctim));
}

bool is_history(std::string_view name) {
    return name.ends_with(".history");
}

}  // namespace

PushPlan plan_push(const std::vector<TimedName>& ready, const std::vector<TimedName>& told,
                   std::size_t most) {
    std::map<std::string_view, std::int64_t> done;
    for (const auto& file : told) {
        if (file.name.ends_with(ok)) {
            done.emplace(std::string_view(file.name).substr(0, file.name.size() - ok.size()),
                         file.modified_ns);
        }
    }
    PushPlan plan;
    std::set<std::string> counts;  // of the spool's files
    for (const auto& wanted : ready) {
        const auto found = done.find(wanted.name);
        if (found != done.end() && found->second >= wanted.modified_ns) {
            counts.insert(wanted.name + std::string(ok));
        } else {
            plan.push.push_back(wanted.name);
        }
    }
    for (const auto& file : told) {
        if (!counts.contains(file.name)) {
            plan.stale.push_back(file.name);
        }
    }
    std::ranges::sort(plan.push, [](const std::string& a, const std::string& b) {
        return is_history(a) != is_history(b) ? is_history(a) : a < b;
    });
    plan.push.resize(std::min(plan.push.size(), most));
    return plan;
}

Result<std::int64_t> modified_ns(const std::string& path) {
    struct stat found{};
    if (stat(path.c_str(), &found) != 0) {
        return io::fail_errno("look at " + path);
    }
    return nanoseconds(found.st_mtim);
}

Result<std::int64_t> arrived_ns(const std::string& path) {
    struct stat found{};
    if (stat(path.c_str(), &found) != 0) {
        return io::fail_errno("look at " + path);
    }
    return arrival(found);
}

Result<std::vector<TimedName>> names_in(const std::string& folder) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
    std::vector<TimedName> names;
    if (!dir) {
        return errno == ENOENT ? Result<std::vector<TimedName>>(names)
                               : io::fail_errno("list " + folder);
    }
    while (const auto* found = readdir(dir.get())) {
        const std::string name = found->d_name;
        struct stat entry{};
        if (name != "." && name != ".." &&
            fstatat(dirfd(dir.get()), name.c_str(), &entry, AT_SYMLINK_NOFOLLOW) == 0) {
            names.push_back({.name = name, .modified_ns = nanoseconds(entry.st_mtim)});
        }
    }
    return names;
}

Result<std::vector<TimedName>> ready_files(const std::string& wal_folder) {
    HD_TRY(const auto marks, names_in(wal_folder + "/archive_status"));
    std::vector<TimedName> ready;
    for (const auto& mark : marks) {
        if (!mark.name.ends_with(ready_mark)) {
            continue;
        }
        const auto name = mark.name.substr(0, mark.name.size() - ready_mark.size());
        struct stat file{};
        if (repo::wal_file(name) && stat((wal_folder + "/" + name).c_str(), &file) == 0) {
            ready.push_back({.name = name, .modified_ns = arrival(file)});
        }
    }
    return ready;
}

}  // namespace howdah::backup
