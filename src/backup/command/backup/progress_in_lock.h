#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

#include "backup/site.h"

namespace howdah::backup {

/// Notes in the lock, which `info` looks at, how far the backup has come. As long as it lives.
class ProgressInLock {
public:
    ProgressInLock(Site& site, const Locks& locks) : site_(site), before_(site.notes.on_progress) {
        site.notes.on_progress = [this, &locks](const Progress& progress) {
            note(locks, progress);
            if (before_) {
                before_(progress);
            }
        };
    }
    ~ProgressInLock() { site_.notes.on_progress = before_; }
    ProgressInLock(const ProgressInLock&) = delete;
    ProgressInLock& operator=(const ProgressInLock&) = delete;

private:
    void note(const Locks& locks, const Progress& progress) {
        const auto done =
            progress.total == 0
                ? std::uint32_t{0}
                : static_cast<std::uint32_t>(10'000.0 * static_cast<double>(progress.done) /
                                             static_cast<double>(progress.total));
        const std::scoped_lock lock(mutex_);
        if (done < noted_ + 100 && noted_ != 0) {
            return;
        }
        noted_ = std::max<std::uint32_t>(done, 1);
        locks.note_progress(done);
    }

    Site& site_;
    std::function<void(const Progress&)> before_;
    std::mutex mutex_{};
    std::uint32_t noted_ = 0;
};

}  // namespace howdah::backup
