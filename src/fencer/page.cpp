#include "fencer/page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace howdah::fencer {
namespace {

constexpr std::size_t page_bytes = 4096;
/// A writer that was merely descheduled mid-write gets this long before the write counts as torn.
constexpr int torn_after_tries = 100;
constexpr long pause_nanos = 200'000;

Error io_error(const std::string& path, const char* what) {
    return {Errc::io, "deadline page " + path + ": " + what + ": " + std::strerror(errno), {}};
}

}  // namespace

// A fresh file is all zeros: even sequence, never armed.
struct DeadlinePage::Layout {
    std::atomic<std::uint64_t> sequence;
    std::atomic<std::int64_t> deadline_nanos;
};

Result<DeadlinePage> DeadlinePage::open(const std::string& path) {
    static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return std::unexpected(io_error(path, "open"));
    }
    struct stat info{};
    void* at = MAP_FAILED;
    if (fstat(fd, &info) == 0 &&
        (info.st_size >= static_cast<off_t>(page_bytes) || ftruncate(fd, page_bytes) == 0)) {
        at = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (at == MAP_FAILED) {
        auto error = io_error(path, "map");
        ::close(fd);
        return std::unexpected(std::move(error));
    }
    ::close(fd);
    return DeadlinePage(static_cast<Layout*>(at));
}

DeadlinePage::DeadlinePage(DeadlinePage&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)) {}

DeadlinePage& DeadlinePage::operator=(DeadlinePage&& other) noexcept {
    std::swap(page_, other.page_);
    return *this;
}

DeadlinePage::~DeadlinePage() {
    if (page_ != nullptr) {
        munmap(page_, page_bytes);
    }
}

void DeadlinePage::arm(Instant when) {
    // An odd number left by a writer that died is made even again by the next write.
    const auto start = page_->sequence.load(std::memory_order_relaxed) | 1;
    page_->sequence.store(start, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    page_->deadline_nanos.store(when.since_boot.count(), std::memory_order_relaxed);
    page_->sequence.store(start + 1, std::memory_order_release);
}

Instant DeadlinePage::read() const {
    for (int tries = 0; tries < torn_after_tries; ++tries) {
        const auto before = page_->sequence.load(std::memory_order_acquire);
        const auto nanos = page_->deadline_nanos.load(std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (before % 2 == 0 && before == page_->sequence.load(std::memory_order_relaxed)) {
            return {Nanos(nanos)};
        }
        const timespec pause{.tv_sec = 0, .tv_nsec = pause_nanos};
        nanosleep(&pause, nullptr);
    }
    return {Nanos(1)};
}

}  // namespace howdah::fencer
