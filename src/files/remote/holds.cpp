#include "files/remote/holds.h"

#include <sys/random.h>

namespace howdah::files {

std::uint64_t Holds::begin() {
    std::uint64_t id = 0;
    HD_CHECK(getrandom(&id, sizeof id, 0) == sizeof id);
    id >>= 1;  // a number that JSON readers with signed integers take
    const std::scoped_lock lock(mutex_);
    held_.emplace(id, Held{});
    return id;
}

void Holds::end(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    const auto found = held_.find(id);
    if (found == held_.end()) {
        return;
    }
    found->second.ends = true;
    left_.wait(lock, [&] { return found->second.users == 0; });
    held_.erase(found);
}

Result<Holds::InUse> Holds::use(const std::vector<std::uint64_t>& ids) {
    const std::scoped_lock lock(mutex_);
    for (const auto id : ids) {
        const auto found = held_.find(id);
        if (found == held_.end() || found->second.ends) {
            return fail(Errc::conflict,
                        "the lock on the repository host was lost: the connection broke, or the "
                        "host was started again",
                        "run the command again; a backup goes on with what was copied");
        }
    }
    for (const auto id : ids) {
        ++held_[id].users;
    }
    return InUse(*this, ids);
}

void Holds::leave(const std::vector<std::uint64_t>& ids) {
    const std::scoped_lock lock(mutex_);
    for (const auto id : ids) {
        --held_[id].users;
    }
    left_.notify_all();
}

}  // namespace howdah::files
