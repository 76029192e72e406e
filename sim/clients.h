#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "instance/fake/fake_instance.h"

namespace howdah::sim {

/// Clients that commit on whatever server takes writes, and remember what was acknowledged to them.
class Clients {
public:
    explicit Clients(Random& random) : random_(random) {}

    /// Writes on `server`, and takes note of earlier commits that it acknowledges by now.
    /// `promised`: the cluster says that such a commit is never lost.
    void use(instance::FakeInstance& server, bool promised);
    /// The server died: commits that nobody acknowledged are nobody's any more.
    void forget(const instance::FakeInstance& server);
    /// What a new primary lacks of all that was promised; empty: nothing (I6).
    std::string missing_on(const instance::FakeInstance& primary) const;

    std::uint64_t acknowledged() const { return acknowledged_; }

private:
    struct Waiting {
        std::uint64_t branch = 0;
        pg::Lsn end{};
    };
    Random& random_;
    std::map<std::string, std::vector<Waiting>> waiting_{};  // by server
    std::map<std::uint64_t, pg::Lsn> promised_{};            // by branch of WAL: up to there
    std::uint64_t acknowledged_ = 0;
};

}  // namespace howdah::sim
