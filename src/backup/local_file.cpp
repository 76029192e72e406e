#include "backup/local_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "io/fd.h"

namespace howdah::backup {
namespace {

std::unexpected<Error> system_error(std::string_view what, const std::string& path) {
    const auto code = errno == ENOENT ? Errc::not_found : Errc::io;
    return fail(code, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

class LocalSource final : public store::Source {
public:
    LocalSource(io::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    Result<std::size_t> read(MutableBytes out) override {
        while (true) {
            const auto n = ::read(fd_.get(), out.data(), out.size());
            if (n >= 0) {
                return static_cast<std::size_t>(n);
            }
            if (errno != EINTR) {
                return system_error("read", path_);
            }
        }
    }

private:
    io::Fd fd_;
    std::string path_;
};

class LocalSink final : public store::Sink {
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
                return system_error("write", path_);
            }
            bytes = bytes.subspan(n < 0 ? 0 : static_cast<std::size_t>(n));
        }
        return {};
    }
    Result<> finish() override {
        if (::close(fd_.release()) != 0) {
            return system_error("close", path_);
        }
        return {};
    }

private:
    io::Fd fd_;
    std::string path_;
};

}  // namespace

Result<std::unique_ptr<store::Source>> open_local(const std::string& path) {
    io::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return system_error("open", path);
    }
    return std::make_unique<LocalSource>(std::move(fd), path);
}

Result<std::unique_ptr<store::Sink>> create_local(const std::string& path) {
    io::Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) {
        return system_error("make", path);
    }
    return std::make_unique<LocalSink>(std::move(fd), path);
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
