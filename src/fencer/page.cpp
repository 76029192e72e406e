#include "fencer/page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <utility>

namespace howdah::fencer {
namespace {

constexpr std::size_t page_bytes = 4096;
/// A writer that was merely descheduled mid-write gets this long before the write counts as torn.
constexpr int torn_after_tries = 100;
constexpr long pause_nanos = 200'000;

constexpr auto boot_id_path = "/proc/sys/kernel/random/boot_id";

Error io_error(const std::string& path, const char* what) {
    return {Errc::io, "deadline page " + path + ": " + what + ": " + std::strerror(errno), {}};
}

}  // namespace

// A fresh file is all zeros: even sequence, of no boot, never armed.
struct DeadlinePage::Layout {
    std::atomic<std::uint64_t> sequence;
    std::atomic<std::int64_t> deadline_nanos;
    std::array<std::atomic<std::uint64_t>, 2> boot;
};

/// Source: random(4), boot_id: drawn once a boot; "0b7c2d1e-....": 32 hexadecimal digits.
Result<DeadlinePage::BootId> DeadlinePage::this_boot() {
    std::array<char, 64> text{};
    const int fd = ::open(boot_id_path, O_RDONLY | O_CLOEXEC);
    const auto got = fd < 0 ? -1 : ::read(fd, text.data(), text.size());
    auto error = io_error(boot_id_path, "read");
    ::close(fd);
    std::string digits(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    std::erase_if(digits, [](char c) { return c == '-' || c == '\n'; });
    BootId boot{};
    if (digits.size() != 32) {
        return std::unexpected(std::move(error));
    }
    std::from_chars(digits.data(), digits.data() + 16, boot[0], 16);
    std::from_chars(digits.data() + 16, digits.data() + 32, boot[1], 16);
    return boot;
}

Result<DeadlinePage> DeadlinePage::open(const std::string& path) {
    static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
    HD_TRY(const auto boot, this_boot());
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
    return DeadlinePage(static_cast<Layout*>(at), boot);
}

DeadlinePage::DeadlinePage(DeadlinePage&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)), boot_(other.boot_) {}

DeadlinePage& DeadlinePage::operator=(DeadlinePage&& other) noexcept {
    std::swap(page_, other.page_);
    std::swap(boot_, other.boot_);
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
    for (std::size_t i = 0; i < boot_.size(); ++i) {
        page_->boot[i].store(boot_[i], std::memory_order_relaxed);
    }
    page_->sequence.store(start + 1, std::memory_order_release);
}

Instant DeadlinePage::read() const {
    for (int tries = 0; tries < torn_after_tries; ++tries) {
        const auto before = page_->sequence.load(std::memory_order_acquire);
        const auto nanos = page_->deadline_nanos.load(std::memory_order_relaxed);
        const BootId boot{page_->boot[0].load(std::memory_order_relaxed),
                          page_->boot[1].load(std::memory_order_relaxed)};
        std::atomic_thread_fence(std::memory_order_acquire);
        if (before % 2 == 0 && before == page_->sequence.load(std::memory_order_relaxed)) {
            return boot == boot_ ? Instant{Nanos(nanos)} : Instant{};
        }
        const timespec pause{.tv_sec = 0, .tv_nsec = pause_nanos};
        nanosleep(&pause, nullptr);
    }
    return {Nanos(1)};
}

}  // namespace howdah::fencer
