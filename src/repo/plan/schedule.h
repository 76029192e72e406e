#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace howdah::repo {

/// A job of a schedule at one moment; times are seconds since 1970.
struct ScheduledTimes {
    std::string what{};                 ///< full, diff, incr, expire, verify, restore-test
    std::optional<std::int64_t> due{};  ///< the last time of its plan that is not in the future
    std::int64_t handled = 0;           ///< what was due until then was run, or skipped
};

/// What ran last.
struct LastJob {
    std::string what{};
    std::int64_t began = 0, ended = 0;
};

struct SkippedJob {
    std::string what{}, why{};
    bool operator==(const SkippedJob&) const = default;
};

struct ScheduleStep {
    std::optional<std::string> run{};   ///< now; then ask again
    std::vector<SkippedJob> skipped{};  ///< not at all
};

/// What to do now that nothing runs. Each job that was due, however often, runs once; of backups
/// that are due together only the larger one does, and none that was due while another ran; no job
/// that was due while it ran itself. The order: backups, expire, verify, restore-test.
ScheduleStep next_step(const std::vector<ScheduledTimes>& jobs, const std::optional<LastJob>& last);

}  // namespace howdah::repo
