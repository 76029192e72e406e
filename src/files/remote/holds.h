#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "base/result.h"

namespace howdah::files {

/// Which rights clients of a file server hold (Files::hold), by numbers that no two runs of a
/// server share: who lost one, or got it from a server that has ended since, changes nothing any
/// more. Thread-safe.
class Holds {
public:
    /// While it lives the rights that it was made with do not end.
    class InUse {
    public:
        InUse(Holds& holds, std::vector<std::uint64_t> ids)
            : holds_(&holds), ids_(std::move(ids)) {}
        InUse(InUse&& other) noexcept : holds_(other.holds_), ids_(std::exchange(other.ids_, {})) {}
        InUse& operator=(InUse&&) = delete;
        ~InUse() {
            if (!ids_.empty()) {  // it was not moved from, maybe inside of use()
                holds_->leave(ids_);
            }
        }

    private:
        Holds* holds_;
        std::vector<std::uint64_t> ids_;
    };

    std::uint64_t begin();
    /// Returns when nobody uses it any more; nobody begins to.
    void end(std::uint64_t id);
    /// Errors: Errc::conflict when one of them is not held any more.
    Result<InUse> use(const std::vector<std::uint64_t>& ids);

private:
    struct Held {
        int users = 0;
        bool ends = false;
    };
    void leave(const std::vector<std::uint64_t>& ids);

    std::mutex mutex_{};
    std::condition_variable left_{};
    std::map<std::uint64_t, Held> held_{};
};

}  // namespace howdah::files
