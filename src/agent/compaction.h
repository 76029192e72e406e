#pragma once

#include <deque>
#include <optional>

#include "dcs/kv.h"

namespace howdah::agent {

/// When the holder makes the store forget, and up to where (safety-model.md, L14): every renewal
/// leaves a revision behind. Pure.
class Compaction {
public:
    /// `revision` is the store's now. Returns the one to compact to when that is due: every five
    /// minutes, to what was seen ten minutes ago.
    std::optional<dcs::Revision> due(Instant now, dcs::Revision revision);

private:
    struct Seen {
        Instant when{};
        dcs::Revision revision = 0;
    };
    std::deque<Seen> seen_{};  ///< one a minute, of the last ten
    Instant last_{};
};

}  // namespace howdah::agent
