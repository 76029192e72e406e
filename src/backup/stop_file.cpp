#include "backup/stop_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "io/fd.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

std::string stop_file(const std::string& lock_path, const std::string& stanza) {
    return fmt::format("{}/{}.stop", lock_path, stanza.empty() ? "all" : stanza);
}

}  // namespace

Result<> check_not_stopped(const std::string& lock_path, const std::string& stanza) {
    for (const auto& name : {stanza, std::string()}) {
        const auto file = stop_file(lock_path, name);
        if (access(file.c_str(), F_OK) == 0) {
            return fail(Errc::cancelled, fmt::format("stopped by {}", file),
                        "`start` lets work go on");
        }
    }
    return {};
}

Result<bool> stop(const std::string& lock_path, const std::string& stanza) {
    HD_TRY_VOID(io::make_directories(lock_path, 0770));
    const auto file = stop_file(lock_path, stanza);
    const io::Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
    if (!fd && errno == EEXIST) {
        return false;
    }
    if (!fd) {
        return io::fail_errno(fmt::format("make {}", file));
    }
    return true;
}

Result<bool> start(const std::string& lock_path, const std::string& stanza) {
    const auto file = stop_file(lock_path, stanza);
    if (unlink(file.c_str()) == 0) {
        return true;
    }
    if (errno == ENOENT) {
        return false;
    }
    return io::fail_errno(fmt::format("remove {}", file));
}

}  // namespace howdah::backup
