#include "backup/workers.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace howdah::backup {

Result<> in_parallel(std::uint32_t workers, std::size_t count,
                     const std::function<Result<>(std::size_t)>& job) {
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::optional<Error> first;
    const auto work = [&] {
        for (auto at = next++; at < count; at = next++) {
            if (auto done = job(at); !done) {
                next = count;
                const std::scoped_lock lock(mutex);
                first = first ? first : std::optional(std::move(done).error());
            }
        }
    };
    {
        std::vector<std::jthread> others;
        for (std::size_t i = 1; i < std::min<std::size_t>(workers, count); ++i) {
            others.emplace_back(work);
        }
        work();
    }
    return first ? std::unexpected(*std::move(first)) : Result<>{};
}

}  // namespace howdah::backup
