#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace howdah::instance {

/// A small file system of this process and its children alone, which goes with them; empty: there
/// is none. mount_small_disk() must have been called by root before it became somebody else.
inline std::string& small_disk_for_test() {
    static std::string folder;
    return folder;
}

inline void mount_small_disk(uid_t owner) {
    constexpr auto place = "/mnt";  // nobody else sees it there
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("small", place, "tmpfs", 0, "size=160m,mode=0700") != 0 ||
        chown(place, owner, static_cast<gid_t>(-1)) != 0) {
        std::perror("no small file system: mount one");
        return;
    }
    small_disk_for_test() = place;
}

}  // namespace howdah::instance
