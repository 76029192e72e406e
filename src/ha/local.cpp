#include "ha/local.h"

#include <algorithm>
#include <set>

namespace howdah::ha {

HeldWal wal_of(const Local& local) {
    if (local.data_dir != DataDir::initialized) {
        return {};
    }
    HeldWal held{.system_id = local.system_id};
    if (local.accepting && local.lsn != pg::Lsn{}) {
        held.timeline = local.timeline;
        held.lsn = local.lsn;
    } else if (local.tree_dead && local.final_lsn != pg::Lsn{}) {
        held.timeline = std::max(local.timeline, local.control.timeline);
        held.lsn = local.final_lsn;
    }
    return held;
}

bool gave_up_starting(const Job& job) {
    return job.kind == JobKind::start && !job.running && job.failures >= start_attempts;
}

int members_caught_up(const std::vector<Walsender>& walsenders, pg::Lsn lsn,
                      const std::vector<std::string>& of) {
    std::set<Uuid> members;
    for (const auto& w : walsenders) {
        if (!w.member.empty() && w.state == "streaming" && w.flush >= lsn &&
            std::ranges::find(of, w.application_name) != of.end()) {
            members.insert(w.member);
        }
    }
    return static_cast<int>(members.size());
}

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
