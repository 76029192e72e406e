#include "repo/plan/schedule.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace howdah::repo {
namespace {

constexpr std::array order{std::string_view("full"),   std::string_view("diff"),
                           std::string_view("incr"),   std::string_view("expire"),
                           std::string_view("verify"), std::string_view("restore-test")};

bool is_backup(std::string_view what) {
    return what == "full" || what == "diff" || what == "incr";
}

bool is_due(const ScheduledTimes& job) {
    return job.due && *job.due > job.handled;
}

/// Whether its time came while `last` ran and kept it from running.
bool overlaps(const ScheduledTimes& job, const std::optional<LastJob>& last) {
    const bool kept =
        last && (job.what == last->what || (is_backup(job.what) && is_backup(last->what)));
    return kept && *job.due > last->began && *job.due < last->ended;
}

}  // namespace

ScheduleStep next_step(const std::vector<ScheduledTimes>& jobs,
                       const std::optional<LastJob>& last) {
    ScheduleStep step;
    std::string backup;
    for (const auto what : order) {
        const auto job = std::ranges::find(jobs, what, &ScheduledTimes::what);
        if (job == jobs.end() || !is_due(*job)) {
            continue;
        }
        if (overlaps(*job, last)) {
            step.skipped.push_back({.what = job->what, .why = last->what + " was running"});
            continue;
        }
        if (is_backup(what) && !backup.empty()) {
            step.skipped.push_back({.what = job->what, .why = backup + " is due as well"});
            continue;
        }
        backup = is_backup(what) ? job->what : backup;
        step.run = step.run ? step.run : job->what;
    }
    return step;
}

}  // namespace howdah::repo
