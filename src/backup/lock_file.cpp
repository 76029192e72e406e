#include "backup/lock_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <sstream>

#include "backup/options/exit_code.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

std::string_view name_of(LockKind kind) {
    switch (kind) {
        case LockKind::archive:
            return "archive";
        case LockKind::backup:
            return "backup";
        case LockKind::restore:
            return "restore";
    }
    return "";
}

/// Whether the path still leads to the file that was opened: whoever held the lock before may have
/// removed it meanwhile.
bool leads_to(const std::string& path, int fd) {
    struct stat opened{}, found{};
    return fstat(fd, &opened) == 0 && stat(path.c_str(), &found) == 0 &&
           opened.st_ino == found.st_ino && opened.st_dev == found.st_dev;
}

bool is_held_by(const std::string& path, const std::string& id) {
    return !id.empty() &&
           io::read_file(path).value_or("").contains(fmt::format("\"execId\":\"{}\"", id));
}

}  // namespace

const std::string& execution_id() {
    static const auto id = [] {
        std::uint32_t random = 0;
        HD_CHECK(getrandom(&random, sizeof random, 0) == sizeof random);
        return fmt::format("{}-{:08x}", getpid(), random);
    }();
    return id;
}

Result<LockFile> LockFile::take(const std::string& path) {
    while (true) {
        io::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
        if (!fd) {
            return io::fail_errno(fmt::format("open lock file {}", path));
        }
        if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            return errno == EWOULDBLOCK
                       ? fail_with(ExitCode::lock_acquire, Errc::conflict,
                                   fmt::format("unable to acquire lock on file '{}'", path),
                                   "another howdah or pgbackrest works on this stanza")
                       : io::fail_errno(fmt::format("lock {}", path));
        }
        if (!leads_to(path, fd.get())) {
            continue;
        }
        const auto content =
            fmt::format("{{\"execId\":\"{}\",\"pid\":{}}}", execution_id(), getpid());
        if (ftruncate(fd.get(), 0) != 0 ||
            write(fd.get(), content.data(), content.size()) != std::ssize(content)) {
            return io::fail_errno(fmt::format("write {}", path));
        }
        return LockFile(std::move(fd), path);
    }
}

Result<std::optional<LockFile>> LockFile::hold_folder(const std::string& folder) {
    io::Fd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        return std::nullopt;
    }
    if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
        return LockFile(std::move(fd), "");
    }
    return errno == EWOULDBLOCK
               ? fail_with(ExitCode::lock_acquire, Errc::conflict,
                           fmt::format("another process works in '{}', and holds no lock file that "
                                       "this one can see",
                                       folder),
                           "was its lock file deleted, or has it another lock-path? `fuser` on "
                           "the folder tells which it is")
               : Result<std::optional<LockFile>>(std::nullopt);
}

void LockFile::note_progress(std::uint32_t hundredths) const {
    if (path_.empty()) {
        return;
    }
    // Never shorter than before, so that a reader finds one whole line. pgBackRest wants this
    // order.
    const auto content = fmt::format("{{\"execId\":\"{}\",\"pctCplt\":{},\"pid\":{}}}",
                                     execution_id(), hundredths, getpid());
    (void)pwrite(fd_.get(), content.data(), content.size(), 0);
}

LockFile::~LockFile() {
    if (fd_ && !path_.empty()) {
        unlink(path_.c_str());
    }
}

std::vector<std::string> lock_paths(const std::string& lock_path, const std::string& stanza,
                                    LockKind kind, const std::vector<std::uint32_t>& repositories) {
    std::vector paths{fmt::format("{}/{}-{}.lock", lock_path, stanza, name_of(kind))};
    for (const auto index : repositories) {
        paths.push_back(fmt::format("{}/{}-{}-{}.lock", lock_path, stanza, name_of(kind), index));
    }
    return paths;
}

Result<std::vector<LockFile>> take_locks(const std::string& lock_path, const std::string& stanza,
                                         LockKind kind,
                                         const std::vector<std::uint32_t>& repositories,
                                         const std::string& asked_by) {
    HD_TRY_VOID(io::make_directories(lock_path, 0770));
    std::vector<LockFile> locks;
    for (const auto& path : lock_paths(lock_path, stanza, kind, repositories)) {
        auto lock = LockFile::take(path);
        if (!lock && lock.error().code == Errc::conflict && is_held_by(path, asked_by)) {
            continue;
        }
        HD_TRY_VOID(lock ? Result<>{} : std::unexpected(lock.error()));
        locks.push_back(*std::move(lock));
    }
    return locks;
}

Result<std::optional<int>> lock_holder(const std::string& path) {
    struct stat found{};
    if (stat(path.c_str(), &found) != 0) {
        return errno == ENOENT ? Result<std::optional<int>>(std::nullopt)
                               : io::fail_errno(fmt::format("look at {}", path));
    }
    HD_TRY(const auto locks, io::read_file("/proc/locks"));
    // "1: FLOCK  ADVISORY  WRITE 31124 08:01:42 0 EOF"
    std::istringstream lines(locks);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string number, kind, how, access, place;
        int pid = 0;
        if (words >> number >> kind >> how >> access >> pid >> place && kind == "FLOCK" &&
            place.ends_with(fmt::format(":{}", found.st_ino)) && pid > 0) {
            return pid;
        }
    }
    return std::nullopt;
}

std::optional<std::uint32_t> lock_progress(const std::string& path) {
    const auto content = io::read_file(path);
    constexpr std::string_view key = "\"pctCplt\":";
    const auto at = content ? content->find(key) : std::string::npos;
    if (at == std::string::npos) {
        return std::nullopt;
    }
    std::uint32_t value = 0;
    const auto* begin = content->data() + at + key.size();
    const auto [stop, error] = std::from_chars(begin, content->data() + content->size(), value);
    return error == std::errc() ? std::optional(value) : std::nullopt;
}

bool is_locked(const std::string& path) {
    struct stat found{};
    const auto locks = io::read_file("/proc/locks");
    return stat(path.c_str(), &found) == 0 && locks &&
           locks->contains(fmt::format(":{} ", found.st_ino));
}

std::optional<files::Held> held_here(const std::vector<std::string>& paths) {
    std::optional<files::Held> held;
    for (const auto& path : paths) {
        if (is_locked(path)) {
            const auto done = lock_progress(path);
            held = files::Held{.hundredths = done || !held ? done : held->hundredths};
        }
    }
    return held;
}

}  // namespace howdah::backup
