#include "backup/local_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "backup/options/exit_code.h"
#include "io/fd.h"

namespace howdah::backup {
namespace {

std::string way_out(int why) {
    switch (why) {
        case EACCES:
        case EPERM:
            return "run as the user that owns the data directory";
        case ENOSPC:
        case EDQUOT:
            return "make room on that disk; restore --delta then goes on where it was broken off";
        case EROFS:
            return "mount that disk for writing";
        default:
            return {};
    }
}

class LocalSource final : public files::Source {
public:
    LocalSource(io::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    Result<std::size_t> read(MutableBytes out) override {
        while (true) {
            const auto n = ::read(fd_.get(), out.data(), out.size());
            if (n >= 0) {
                return static_cast<std::size_t>(n);
            }
            if (errno != EINTR) {
                return fail_local("read", path_);
            }
        }
    }

private:
    io::Fd fd_;
    std::string path_;
};

class LocalSink final : public files::Sink {
public:
    LocalSink(io::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    ~LocalSink() override {
        if (fd_) {
            unlink(path_.c_str());
        }
    }
    Result<> write(Bytes bytes) override {
        while (!bytes.empty()) {
            const auto n = ::write(fd_.get(), bytes.data(), bytes.size());
            if (n < 0 && errno != EINTR) {
                return fail_local("write", path_);
            }
            bytes = bytes.subspan(n < 0 ? 0 : static_cast<std::size_t>(n));
        }
        return {};
    }
    Result<> finish() override {
        if (::close(fd_.release()) != 0) {
            return fail_local("close", path_);
        }
        return {};
    }

private:
    io::Fd fd_;
    std::string path_;
};

}  // namespace

std::unexpected<Error> fail_local(std::string_view what, const std::string& path) {
    const auto why = errno;
    const auto code = why == ENOENT ? Errc::not_found : Errc::io;
    auto message = fmt::format("cannot {} {}: {}", what, path, std::strerror(why));
    return what == "write" || what == "close"
               ? fail_with(ExitCode::file_write, code, std::move(message), way_out(why))
           : what == "make" ? fail_with(ExitCode::file_open, code, std::move(message), way_out(why))
                            : fail(code, std::move(message), way_out(why));
}

Result<std::unique_ptr<files::Source>> open_local(const std::string& path) {
    io::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return fail_local("open", path);
    }
    return std::make_unique<LocalSource>(std::move(fd), path);
}

Result<std::unique_ptr<files::Sink>> create_local(const std::string& path) {
    io::Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) {
        return fail_local("make", path);
    }
    return std::make_unique<LocalSink>(std::move(fd), path);
}

Result<bool> is_there(const std::string& path) {
    struct stat found{};
    if (lstat(path.c_str(), &found) == 0) {
        return true;
    }
    return errno == ENOENT || errno == ENOTDIR ? Result<bool>(false) : fail_local("look at", path);
}

Result<> remove_local(const std::string& path) {
    return unlink(path.c_str()) == 0 || errno == ENOENT ? Result<>{} : fail_local("remove", path);
}

Result<repo::Sha1Digest> sum_of_local(const std::string& path) {
    HD_TRY(const auto source, open_local(path));
    repo::Sha1 sum;
    ByteBuffer block(std::size_t{256} << 10);
    while (true) {
        HD_TRY(const auto got, source->read(block));
        if (got == 0) {
            return sum.finish();
        }
        sum.update(Bytes(block).first(got));
    }
}

}  // namespace howdah::backup
