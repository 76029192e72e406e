#include "ha/local.h"

#include <algorithm>
#include <set>

namespace howdah::ha {

int flushed_by(const std::vector<Walsender>& walsenders, pg::Lsn lsn,
               const std::vector<std::string>& of) {
    std::set<std::string> names;
    for (const auto& walsender : walsenders) {
        if (walsender.flush >= lsn && walsender.flush != pg::Lsn{} &&
            std::ranges::find(of, walsender.application_name) != of.end()) {
            names.insert(walsender.application_name);
        }
    }
    return static_cast<int>(names.size());
}

}  // namespace howdah::ha
