#include "fencer/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace howdah::fencer {
namespace {

// Static, since nothing here may allocate: one thread, never re-entered.
char text[65536];
alignas(8) char entries[65536];

struct KernelDirent {
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[256];
};

/// Reads the whole of a small file into `text`, null-terminated; false when it isn't there.
bool slurp(const char* path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    std::size_t used = 0;
    while (used < sizeof text - 1) {
        const auto got = read(fd, text + used, sizeof text - 1 - used);
        if (got <= 0) {
            break;
        }
        used += static_cast<std::size_t>(got);
    }
    close(fd);
    text[used] = '\0';
    return true;
}

/// The parent in `text`, a /proc/PID/stat: the second field after the last ')'.
pid_t parent_in_stat() {
    const char* after = std::strrchr(text, ')');
    return after == nullptr || std::strlen(after) < 4 ? -1 : std::atoi(after + 4);
}

template <class Visit>
void scan_proc(pid_t parent, Visit visit) {
    const int dir = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return;
    }
    while (true) {
        const auto got = syscall(SYS_getdents64, dir, entries, sizeof entries);
        if (got <= 0) {
            break;
        }
        for (long at = 0; at < got;) {
            const auto* entry = reinterpret_cast<const KernelDirent*>(entries + at);
            at += entry->length;
            const pid_t pid = std::atoi(entry->name);
            char path[64];
            std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
            if (pid > 0 && slurp(path) && parent_in_stat() == parent) {
                visit(pid);
            }
        }
    }
    close(dir);
}

template <class Visit>
void for_each_child(pid_t parent, Visit visit) {
    // PostgreSQL's processes have one thread: the children of the main thread are all.
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, parent);
    if (!slurp(path)) {
        scan_proc(parent, visit);
        return;
    }
    char* at = text;
    while (*at != '\0') {
        char* end = at;
        const long pid = std::strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        visit(static_cast<pid_t>(pid));
        at = end + (*end == ' ' ? 1 : 0);
    }
}

}  // namespace

int signal_children(pid_t parent, int signal) {
    int count = 0;
    for_each_child(parent, [&](pid_t child) {
        kill(child, signal);
        ++count;
    });
    return count;
}

pid_t first_child(pid_t parent) {
    pid_t first = 0;
    for_each_child(parent, [&](pid_t child) { first = first == 0 ? child : first; });
    return first;
}

}  // namespace howdah::fencer
