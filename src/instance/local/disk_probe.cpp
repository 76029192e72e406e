#include "instance/local/disk_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>

#include "io/fd.h"

namespace howdah::instance {
namespace {

constexpr std::uint64_t least_bytes = 16U << 20U;
constexpr Nanos pause = Millis(20);

std::string words(const char* doing) {
    return fmt::format("{}: {}", doing, std::generic_category().message(errno));
}

/// Old kernels and some network file systems know no O_TMPFILE.
bool has_no_unnamed_files() {
    return errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL;
}

std::string write_trouble(const std::string& folder) {
    const io::Fd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file) {
        if (!has_no_unnamed_files()) {
            return words("no file can be made");
        }
        return ::access(folder.c_str(), W_OK) == 0 ? "" : words("not writable");
    }
    const std::array<char, 8192> block{};
    const auto written = ::write(file.get(), block.data(), block.size());
    if (written != static_cast<ssize_t>(block.size())) {
        return written < 0 ? words("write failed") : "write failed: it is full";
    }
    return ::fsync(file.get()) == 0 ? "" : words("fsync failed");
}

}  // namespace

std::string disk_trouble(const std::string& folder) {
    struct statvfs info{};
    if (::statvfs(folder.c_str(), &info) != 0) {
        return words("not readable");
    }
    if ((info.f_flag & ST_RDONLY) != 0) {
        return "the file system is read-only";
    }
    if (auto trouble = write_trouble(folder); !trouble.empty()) {
        return trouble;
    }
    const auto free_bytes = std::uint64_t{info.f_bavail} * info.f_frsize;
    return free_bytes < least_bytes
               ? fmt::format("the file system is full: {} MB are free", free_bytes >> 20U)
               : "";
}

struct DiskProbe::Answer {
    std::atomic<bool> there = false;
    std::string text{};
};

io::Task<std::string> DiskProbe::ask(io::Clock& clock, std::vector<std::string> folders,
                                     Nanos limit) {
    const auto end = clock.now() + limit;
    if (!pending_) {
        pending_ = std::make_shared<Answer>();
        since_ = clock.now();
        const auto look = [answer = pending_, folders = std::move(folders)] {
            for (const auto& folder : folders) {
                if (const auto trouble = disk_trouble(folder); !trouble.empty()) {
                    answer->text += (answer->text.empty() ? "" : "; ") + folder + ": " + trouble;
                }
            }
            answer->there.store(true, std::memory_order_release);
        };
        try {
            std::thread(look).detach();
        } catch (const std::system_error&) {
            pending_.reset();  // no thread to be had says nothing about the disk
            co_return std::string();
        }
    }
    while (!pending_->there.load(std::memory_order_acquire)) {
        if (clock.now() > end) {
            const auto waited = std::chrono::duration_cast<Seconds>(clock.now() - since_);
            co_return fmt::format("a write of 8 kB has not come back for {} s", waited.count());
        }
        if (!co_await clock.until(clock.now() + pause)) {
            co_return std::string();
        }
    }
    auto text = std::move(pending_->text);
    pending_.reset();
    co_return text;
}

}  // namespace howdah::instance
