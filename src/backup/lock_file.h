#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "files/files.h"
#include "io/fd.h"

/// Locks that keep two commands apart, on one host and with pgBackRest: its files, its content
/// (pgbackrest-repository.md, section 11.1).
namespace howdah::backup {

enum class LockKind : std::uint8_t {
    archive,  ///< asynchronous archiving
    backup,   ///< backup, expire, annotate
    restore,
};

/// A lock that is held until the object ends; its file is removed then, and by the kernel's rules
/// it is free as well when the process dies.
class LockFile {
public:
    LockFile(LockFile&&) = default;
    LockFile& operator=(LockFile&&) = delete;
    ~LockFile();

    /// Does not wait. Errors: ExitCode::lock_acquire when somebody else holds it, Errc::io.
    static Result<LockFile> take(const std::string& path);

    /// A folder of a repository, of which nothing is removed or written: keeps apart who would not
    /// meet at a lock file, because it was deleted or lies elsewhere. nullopt: the folder is not
    /// there, or its file system has no locks. Errors: ExitCode::lock_acquire.
    static Result<std::optional<LockFile>> hold_folder(const std::string& folder);

    /// How far the holder has come, for `info`: 1234 is 12.34 %. One that cannot be noted is no
    /// reason to stop.
    void note_progress(std::uint32_t hundredths) const;

private:
    LockFile(io::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    io::Fd fd_;
    std::string path_;  ///< of the file to remove; empty: none
};

/// This process, as all of its locks name it.
const std::string& execution_id();

/// Names of the files of one kind, for these repositories: that of pgBackRest until 2.52, which is
/// one for all of them, and those since, one for each.
std::vector<std::string> lock_paths(const std::string& lock_path, const std::string& stanza,
                                    LockKind kind, const std::vector<std::uint32_t>& repositories);
/// All of them, or none. Makes the folder. `asked_by`: the execution_id() of a process that this
/// one works for: what that one holds itself, being on this host, is left to it. Errors: as
/// LockFile::take.
Result<std::vector<LockFile>> take_locks(const std::string& lock_path, const std::string& stanza,
                                         LockKind kind,
                                         const std::vector<std::uint32_t>& repositories,
                                         const std::string& asked_by = {});
/// Who holds a lock; nullopt: nobody. Errors: Errc::io.
Result<std::optional<int>> lock_holder(const std::string& path);
/// What its holder noted last, of this program or pgBackRest; nullopt: nothing.
std::optional<std::uint32_t> lock_progress(const std::string& path);
/// Whether anybody holds the lock; takes none. Source: proc(5), /proc/locks.
bool is_locked(const std::string& path);
/// Whether anybody on this host holds one of them (lock_paths), and how far it has come.
std::optional<files::Held> held_here(const std::vector<std::string>& paths);

}  // namespace howdah::backup
