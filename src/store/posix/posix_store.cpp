#include "store/posix/posix_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "io/fd.h"

namespace howdah::store {
namespace {

constexpr std::string_view unfinished = ".pgbackrest.tmp";

std::unexpected<Error> system_error(std::string_view what, std::string_view path) {
    const auto why = errno;
    const auto code = why == ENOENT || why == ENOTDIR ? Errc::not_found : Errc::io;
    return fail(code, fmt::format("{} {}: {}", what, path, std::strerror(why)),
                why == EACCES ? "run as the user that owns the repository" : "");
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

class FileSink final : public Sink {
public:
    FileSink(io::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    ~FileSink() override {
        if (fd_) {
            unlink((path_ + std::string(unfinished)).c_str());
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
        const auto temporary = path_ + std::string(unfinished);
        if (fsync(fd_.get()) != 0) {
            return system_error("cannot sync", path_);
        }
        if (rename(temporary.c_str(), path_.c_str()) != 0) {
            return system_error("cannot rename to", path_);
        }
        fd_ = {};
        return sync_folder(parent_of(path_));
    }

private:
    io::Fd fd_;
    std::string path_;
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

}  // namespace

PosixStore::PosixStore(std::string root, PosixOptions options)
    : root_(std::move(root)), options_(options) {
    while (root_.size() > 1 && root_.ends_with('/')) {
        root_.pop_back();
    }
}

Result<std::string> PosixStore::whole(std::string_view path) const {
    HD_TRY_VOID(check_path(path));
    return path.empty() ? root_ : fmt::format("{}/{}", root_ == "/" ? "" : root_, path);
}

Result<std::unique_ptr<Source>> PosixStore::read(std::string_view path, ReadRange range) {
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

Result<std::unique_ptr<Sink>> PosixStore::write(std::string_view path) {
    HD_TRY(const auto at, whole(path));
    const auto temporary = at + std::string(unfinished);
    const auto flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    io::Fd fd(open(temporary.c_str(), flags, options_.file_mode));
    if (!fd && errno == ENOENT) {
        HD_TRY_VOID(make_all(parent_of(at), options_.folder_mode));
        fd = io::Fd(open(temporary.c_str(), flags, options_.file_mode));
    }
    if (!fd) {
        return system_error("cannot make", at);
    }
    return std::make_unique<FileSink>(std::move(fd), at);
}

Result<std::optional<Entry>> PosixStore::stat(std::string_view path) {
    HD_TRY(const auto at, whole(path));
    return look(at, std::string(path));
}

Result<> PosixStore::list(std::string_view folder,
                          const std::function<Result<>(const Entry&)>& each) {
    HD_TRY(const auto at, whole(folder));
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(at.c_str()), closedir);
    if (!dir) {
        return errno == ENOENT ? Result<>{} : system_error("cannot list", at);
    }
    std::vector<std::string> names;
    while (const auto* found = readdir(dir.get())) {
        const std::string_view name = found->d_name;
        if (name != "." && name != ".." && !name.ends_with(unfinished)) {
            names.emplace_back(name);
        }
    }
    std::ranges::sort(names);
    for (const auto& name : names) {
        HD_TRY(const auto entry,
               look(at + "/" + name, folder.empty() ? name : fmt::format("{}/{}", folder, name)));
        if (entry) {
            HD_TRY_VOID(each(*entry));
        }
    }
    return {};
}

Result<> PosixStore::remove(std::string_view path) {
    HD_TRY(const auto at, whole(path));
    if (::remove(at.c_str()) != 0) {
        return errno == ENOENT ? Result<>{} : system_error("cannot remove", at);
    }
    return sync_folder(parent_of(at));
}

Result<> PosixStore::remove_tree(std::string_view folder) {
    std::vector<Entry> inside;
    HD_TRY_VOID(list(folder, [&](const Entry& entry) {
        inside.push_back(entry);
        return Result<>{};
    }));
    for (const auto& entry : inside) {
        HD_TRY_VOID(entry.kind == EntryKind::folder ? remove_tree(entry.path) : remove(entry.path));
    }
    return remove(folder);
}

Result<> PosixStore::make_folder(std::string_view folder) {
    HD_TRY(const auto at, whole(folder));
    return make_all(at, options_.folder_mode);
}

Result<> PosixStore::link(std::string_view path, std::string_view target) {
    HD_TRY(const auto at, whole(path));
    const auto temporary = at + std::string(unfinished);
    unlink(temporary.c_str());
    if (symlink(std::string(target).c_str(), temporary.c_str()) != 0 ||
        rename(temporary.c_str(), at.c_str()) != 0) {
        return system_error("cannot link", at);
    }
    return sync_folder(parent_of(at));
}

}  // namespace howdah::store
