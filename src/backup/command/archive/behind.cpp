#include "backup/command/archive/behind.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "backup/command/archive/push_plan.h"
#include "backup/command/archive/spool.h"
#include "backup/options/exit_code.h"
#include "io/files.h"
#include "repo/archive_name.h"

namespace howdah::backup {
namespace {

constexpr std::int64_t rest_seconds = 30;
constexpr std::string_view failed_name = "failed.mark";

}  // namespace

Behind::Behind(const std::string& spool_path, const std::string& stanza, std::uint32_t repository)
    : folder_(fmt::format("{}/archive/{}/behind/repo{}", spool_path, stanza, repository)) {}

Result<> Behind::add(const std::string& wal_file) const {
    auto done = io::make_directories(folder_, 0750);
    if (done) {
        done = io::write_file_atomically(folder_ + "/" + wal_file, "", 0640);
    }
    return done ? done
                : std::unexpected(ending_with(ExitCode::file_write, about_spool(done.error())));
}

Result<> Behind::settle(const std::string& wal_file) const {
    const auto path = folder_ + "/" + wal_file;
    return unlink(path.c_str()) == 0 || errno == ENOENT ? Result<>{}
                                                        : io::fail_errno("remove " + path);
}

Result<std::vector<std::string>> Behind::files() const {
    HD_TRY(const auto found, names_in(folder_));
    std::vector<std::string> names;
    for (const auto& each : found) {
        if (repo::wal_file(each.name)) {
            names.push_back(each.name);
        }
    }
    std::ranges::sort(names);
    return names;
}

bool Behind::rests() const {
    struct stat mark{};
    const auto path = fmt::format("{}/{}", folder_, failed_name);
    return stat(path.c_str(), &mark) == 0 && std::time(nullptr) - mark.st_mtime < rest_seconds;
}

void Behind::failed() const {
    // Without the mark it is only tried more often.
    if (io::make_directories(folder_, 0750)) {
        (void)io::write_file_atomically(fmt::format("{}/{}", folder_, failed_name), "", 0640);
    }
}

}  // namespace howdah::backup
