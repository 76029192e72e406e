#include "files/posix/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "io/fd.h"

namespace howdah::files {
namespace {

constexpr std::string_view unfinished = ".pgbackrest.tmp";

/// Beside `path`, and nobody else's: two writers of one file never meet.
std::string own_name_beside(const std::string& path) {
    std::uint64_t random = 0;
    HD_CHECK(getrandom(&random, sizeof random, 0) == sizeof random);
    const auto slash = path.rfind('/');
    // A name may have 255 bytes; what is added has 32.
    return fmt::format("{}.{:016x}{}", path.substr(0, slash + 1 + 200), random, unfinished);
}

std::string way_out(int why) {
    switch (why) {
        case EACCES:
            return "run as the user that owns the repository";
        case ENOSPC:
        case EDQUOT:
            return "make room on the repository's disk: fewer backups are kept by "
                   "repo-retention-full";
        case EROFS:
            return "mount the repository's disk for writing";
        default:
            return {};
    }
}

std::unexpected<Error> system_error(std::string_view what, std::string_view path) {
    const auto why = errno;
    const auto code = why == ENOENT || why == ENOTDIR ? Errc::not_found : Errc::io;
    return fail(code, fmt::format("{} {}: {}", what, path, std::strerror(why)), way_out(why));
}

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

Result<> sync_folder(const std::string& folder) {
    const io::Fd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || fsync(fd.get()) != 0) {
        return system_error("cannot sync folder", folder);
    }
    return {};
}

Result<> make_all(const std::string& folder, mode_t mode) {
    if (mkdir(folder.c_str(), mode) == 0) {
        return sync_folder(parent_of(folder));
    }
    if (errno == EEXIST) {
        return {};
    }
    if (errno != ENOENT || folder == "/") {
        return system_error("cannot make folder", folder);
    }
    HD_TRY_VOID(make_all(parent_of(folder), mode));
    if (mkdir(folder.c_str(), mode) != 0 && errno != EEXIST) {
        return system_error("cannot make folder", folder);
    }
    return sync_folder(parent_of(folder));
}

class FileSource final : public Source {
public:
    FileSource(io::Fd fd, std::string path, std::optional<std::uint64_t> left)
        : fd_(std::move(fd)), path_(std::move(path)), left_(left) {}

    Result<std::size_t> read(MutableBytes out) override {
        const auto want = left_ ? std::min<std::uint64_t>(out.size(), *left_) : out.size();
        while (true) {
            const auto n = ::read(fd_.get(), out.data(), want);
            if (n >= 0) {
                left_ = left_ ? std::optional(*left_ - static_cast<std::uint64_t>(n)) : left_;
                return static_cast<std::size_t>(n);
            }
            if (errno != EINTR) {
                return system_error("cannot read", path_);
            }
        }
    }

private:
    io::Fd fd_;
    std::string path_;
    std::optional<std::uint64_t> left_;
};

/// Gives a finished file its name without replacing another. Where the file system cannot do that
/// in one step (NFS), by a second name.
Result<> rename_new(const std::string& from, const std::string& to) {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return {};
    }
    if (errno == EINVAL || errno == ENOSYS) {
        if (::link(from.c_str(), to.c_str()) == 0) {
            unlink(from.c_str());
            return {};
        }
    }
    return errno == EEXIST ? fail(Errc::conflict, fmt::format("{} is there already", to))
                           : system_error("cannot rename to", to);
}

class FileSink final : public Sink {
public:
    FileSink(io::Fd fd, std::string own_name, std::string path, NameSync names, IfTaken taken)
        : fd_(std::move(fd)),
          own_name_(std::move(own_name)),
          path_(std::move(path)),
          names_(names),
          taken_(taken) {}
    ~FileSink() override {
        if (fd_) {
            unlink(own_name_.c_str());
        }
    }

    Result<> write(Bytes bytes) override {
        while (!bytes.empty()) {
            const auto n = ::write(fd_.get(), bytes.data(), bytes.size());
            if (n < 0 && errno != EINTR) {
                return system_error("cannot write", path_);
            }
            bytes = bytes.subspan(n < 0 ? 0 : static_cast<std::size_t>(n));
        }
        return {};
    }
    Result<> finish() override {
        if (fsync(fd_.get()) != 0) {
            return system_error("cannot sync", path_);
        }
        if (taken_ == IfTaken::refuse) {
            HD_TRY_VOID(rename_new(own_name_, path_));
        } else if (rename(own_name_.c_str(), path_.c_str()) != 0) {
            return system_error("cannot rename to", path_);
        }
        fd_ = {};
        return names_ == NameSync::at_once ? sync_folder(parent_of(path_)) : Result<>{};
    }

private:
    io::Fd fd_;
    std::string own_name_, path_;
    NameSync names_;
    IfTaken taken_;
};

EntryKind kind_of(mode_t mode) {
    return S_ISREG(mode)   ? EntryKind::file
           : S_ISDIR(mode) ? EntryKind::folder
           : S_ISLNK(mode) ? EntryKind::link
                           : EntryKind::other;
}

Result<std::optional<Entry>> look(const std::string& whole, std::string path) {
    struct stat s{};
    if (lstat(whole.c_str(), &s) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return std::nullopt;
        }
        return system_error("cannot look at", whole);
    }
    Entry entry{.path = std::move(path),
                .kind = kind_of(s.st_mode),
                .size = S_ISREG(s.st_mode) ? static_cast<std::uint64_t>(s.st_size) : 0,
                .modified_unix_s = s.st_mtim.tv_sec};
    if (entry.kind == EntryKind::link) {
        std::string target(4096, '\0');
        const auto n = readlink(whole.c_str(), target.data(), target.size());
        target.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
        entry.target = std::move(target);
    }
    return entry;
}

/// In the order of bytes; nothing for a folder that is not there.
Result<std::vector<std::string>> names_in(const std::string& folder) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
    std::vector<std::string> names;
    if (!dir) {
        return errno == ENOENT ? Result<std::vector<std::string>>(names)
                               : system_error("cannot list", folder);
    }
    while (const auto* found = readdir(dir.get())) {
        const std::string_view name = found->d_name;
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
    std::ranges::sort(names);
    return names;
}

}  // namespace

PosixFiles::PosixFiles(std::string root, PosixOptions options)
    : root_(std::move(root)), options_(options) {
    while (root_.size() > 1 && root_.ends_with('/')) {
        root_.pop_back();
    }
}

Result<std::string> PosixFiles::whole(std::string_view path) const {
    HD_TRY_VOID(check_path(path));
    return path.empty() ? root_ : fmt::format("{}/{}", root_ == "/" ? "" : root_, path);
}

Result<std::unique_ptr<Source>> PosixFiles::read(std::string_view path, ReadRange range) {
    HD_TRY(const auto at, whole(path));
    io::Fd fd(open(at.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return system_error("cannot open", at);
    }
    if (range.offset != 0 && lseek(fd.get(), static_cast<off_t>(range.offset), SEEK_SET) < 0) {
        return system_error("cannot seek in", at);
    }
    return std::make_unique<FileSource>(std::move(fd), at, range.size);
}

Result<std::unique_ptr<Sink>> PosixFiles::write(std::string_view path, NameSync names,
                                                IfTaken taken) {
    HD_TRY(const auto at, whole(path));
    const auto temporary = own_name_beside(at);
    const auto flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    io::Fd fd(open(temporary.c_str(), flags, options_.file_mode));
    if (!fd && errno == ENOENT) {
        HD_TRY_VOID(make_all(parent_of(at), options_.folder_mode));
        fd = io::Fd(open(temporary.c_str(), flags, options_.file_mode));
    }
    if (!fd) {
        return system_error("cannot make", at);
    }
    return std::make_unique<FileSink>(std::move(fd), temporary, at, names, taken);
}

Result<> PosixFiles::remove_unfinished(std::string_view folder) {
    HD_TRY(const auto at, whole(folder));
    HD_TRY(const auto names, names_in(at));
    for (const auto& name : names) {
        const auto left = at + "/" + name;
        if (name.ends_with(unfinished) && ::unlink(left.c_str()) != 0 && errno != ENOENT) {
            return system_error("cannot remove", left);
        }
    }
    return {};
}

Result<> PosixFiles::sync_tree(std::string_view folder) {
    std::vector<std::string> below;
    HD_TRY_VOID(list(folder, [&](const Entry& entry) {
        if (entry.kind == EntryKind::folder) {
            below.push_back(entry.path);
        }
        return Result<>{};
    }));
    for (const auto& each : below) {
        HD_TRY_VOID(sync_tree(each));
    }
    HD_TRY(const auto at, whole(folder));
    return sync_folder(at);
}

Result<std::optional<Entry>> PosixFiles::stat(std::string_view path) {
    HD_TRY(const auto at, whole(path));
    return look(at, std::string(path));
}

Result<> PosixFiles::list(std::string_view folder,
                          const std::function<Result<>(const Entry&)>& each) {
    return list(folder, Unfinished::hidden, each);
}

Result<> PosixFiles::list(std::string_view folder, Unfinished sinks,
                          const std::function<Result<>(const Entry&)>& each) const {
    HD_TRY(const auto at, whole(folder));
    HD_TRY(const auto names, names_in(at));
    for (const auto& name : names) {
        if (sinks == Unfinished::hidden && name.ends_with(unfinished)) {
            continue;
        }
        HD_TRY(const auto entry,
               look(at + "/" + name, folder.empty() ? name : fmt::format("{}/{}", folder, name)));
        if (entry) {
            HD_TRY_VOID(each(*entry));
        }
    }
    return {};
}

Result<> PosixFiles::remove(std::string_view path) {
    HD_TRY(const auto at, whole(path));
    if (::remove(at.c_str()) != 0) {
        return errno == ENOENT ? Result<>{} : system_error("cannot remove", at);
    }
    return sync_folder(parent_of(at));
}

Result<> PosixFiles::remove_tree(std::string_view folder) {
    std::vector<Entry> inside;
    HD_TRY_VOID(list(folder, Unfinished::shown, [&](const Entry& entry) {
        inside.push_back(entry);
        return Result<>{};
    }));
    for (const auto& entry : inside) {
        HD_TRY_VOID(entry.kind == EntryKind::folder ? remove_tree(entry.path) : remove(entry.path));
    }
    return remove(folder);
}

Result<> PosixFiles::make_folder(std::string_view folder) {
    HD_TRY(const auto at, whole(folder));
    return make_all(at, options_.folder_mode);
}

Result<> PosixFiles::hard_link(std::string_view path, std::string_view existing) {
    HD_TRY(const auto at, whole(path));
    HD_TRY(const auto from, whole(existing));
    HD_TRY_VOID(make_all(parent_of(at), options_.folder_mode));
    if (::link(from.c_str(), at.c_str()) != 0) {
        return errno == EEXIST ? fail(Errc::conflict, fmt::format("{} is there already", at))
                               : system_error("cannot link to", from);
    }
    return {};
}

Result<> PosixFiles::link(std::string_view path, std::string_view target) {
    HD_TRY(const auto at, whole(path));
    const auto temporary = own_name_beside(at);
    if (symlink(std::string(target).c_str(), temporary.c_str()) != 0 ||
        rename(temporary.c_str(), at.c_str()) != 0) {
        const auto failed = system_error("cannot link", at);
        unlink(temporary.c_str());
        return failed;
    }
    return sync_folder(parent_of(at));
}

}  // namespace howdah::files
