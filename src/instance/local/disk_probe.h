#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/instant.h"
#include "io/task.h"

namespace howdah::instance {

/// Why the file system of `folder` doesn't take 8 kB durably; empty: it does, and has room for the
/// next WAL segment. Written to an unnamed file (O_TMPFILE), of which nothing is left nor ever
/// seen, by a base backup for one; where the file system has no such files, permissions and free
/// space are looked at. Blocks for as long as the disk does.
std::string disk_trouble(const std::string& folder);

/// Asks about folders on a thread of its own, so that a disk that hangs holds up nobody. The thread
/// is left behind when it doesn't come back, and no second one is started before it does.
class DiskProbe {
public:
    /// "folder: what is wrong" for those in trouble, joined by "; ". After `limit` without an
    /// answer it says so.
    io::Task<std::string> ask(io::Clock& clock, std::vector<std::string> folders, Nanos limit);
    /// When the write began that has not come back; never: all have.
    Instant waits_since() const { return pending_ ? since_ : Instant{}; }

private:
    struct Answer;
    std::shared_ptr<Answer> pending_{};
    Instant since_{};
};

}  // namespace howdah::instance
