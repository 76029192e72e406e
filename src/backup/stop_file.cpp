#include "backup/stop_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include "backup/local_file.h"
#include "backup/lock_file.h"
#include "backup/options/exit_code.h"
#include "io/fd.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

std::string stop_file(const std::string& lock_path, const std::string& stanza) {
    return fmt::format("{}/{}.stop", lock_path, stanza.empty() ? "all" : stanza);
}

/// `howdah repo`, which holds locks for its clients: what they do shall end, and not the host.
bool is_repository_host(int pid) {
    const auto words = io::read_file(fmt::format("/proc/{}/cmdline", pid)).value_or("");
    const auto program = words.substr(0, words.find('\0'));
    const std::string_view rest =
        std::string_view(words).substr(std::min(program.size() + 1, words.size()));
    return program.ends_with("howdah") && rest.starts_with(std::string_view("repo\0", 5));
}

}  // namespace

Result<> check_not_stopped(const std::string& lock_path, const std::string& stanza) {
    for (const auto& name : {stanza, std::string()}) {
        const auto file = stop_file(lock_path, name);
        HD_TRY(const auto stopped, is_there(file));
        if (stopped) {
            return fail_with(ExitCode::stop, Errc::cancelled, fmt::format("stopped by {}", file),
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

Result<std::vector<int>> end_lock_holders(const std::string& lock_path, const std::string& stanza) {
    std::set<int> holders;
    std::error_code error;
    namespace fs = std::filesystem;
    for (fs::directory_iterator at(lock_path, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
        const auto name = at->path().filename().string();
        const auto is_of_it = stanza.empty() || name.starts_with(stanza + "-archive") ||
                              name.starts_with(stanza + "-backup") ||
                              name.starts_with(stanza + "-restore");
        if (name.ends_with(".lock") && is_of_it) {
            HD_TRY(const auto holder, lock_holder(at->path().string()));
            if (holder) {
                holders.insert(*holder);
            }
        }
    }
    if (error) {
        return fail(Errc::io, fmt::format("cannot list {}: {}", lock_path, error.message()));
    }
    for (const auto pid : holders) {
        const bool is_host = is_repository_host(pid);
        if (kill(pid, is_host ? end_clients_signal : SIGTERM) != 0 && errno != ESRCH) {
            return io::fail_errno(fmt::format("send a signal to process {}", pid));
        }
    }
    return std::vector<int>(holders.begin(), holders.end());
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
