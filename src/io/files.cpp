#include "io/files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "io/fd.h"

namespace howdah::io {
namespace {

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<> write_all(int fd, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const auto n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_errno("write " + path);
        }
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Result<> write_synced(const std::string& path, std::string_view text, mode_t mode) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!file) {
        return fail_errno("open " + path);
    }
    HD_TRY_VOID(write_all(file.get(), text, path));
    if (::fchmod(file.get(), mode) != 0) {
        return fail_errno("set mode of " + path);
    }
    if (::fsync(file.get()) != 0) {
        return fail_errno("sync " + path);
    }
    return {};
}

}  // namespace

std::unexpected<Error> fail_errno(std::string_view what) {
    const int code = errno;
    return fail(code == ENOENT ? Errc::not_found : Errc::io,
                std::string(what) + ": " + std::generic_category().message(code));
}

Result<std::string> read_file(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return fail_errno("open " + path);
    }
    std::string text;
    char piece[16384];
    while (true) {
        const auto n = ::read(file.get(), piece, sizeof piece);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_errno("read " + path);
        }
        if (n == 0) {
            return text;
        }
        text.append(piece, static_cast<std::size_t>(n));
    }
}

Result<> write_file_atomically(const std::string& path, std::string_view text, mode_t mode) {
    const auto temporary = path + ".new";
    if (auto written = write_synced(temporary, text, mode); !written) {
        ::unlink(temporary.c_str());
        return written;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        return fail_errno("rename " + temporary);
    }
    return sync_folder(folder_of(path));
}

Result<> sync_folder(const std::string& folder) {
    const Fd dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir || ::fsync(dir.get()) != 0) {
        return fail_errno("sync folder " + folder);
    }
    return {};
}

Result<> make_directories(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) == 0) {
        return {};
    }
    if (errno == ENOENT && folder_of(path) != path) {
        HD_TRY_VOID(make_directories(folder_of(path), mode));
        if (::mkdir(path.c_str(), mode) == 0) {
            return {};
        }
    }
    struct stat status{};
    if (errno == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
        return {};
    }
    return fail_errno("make folder " + path);
}

void raise_open_files_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

}  // namespace howdah::io
