#include "repo/plan/schedule.h"

#include <gtest/gtest.h>

namespace howdah::repo {
namespace {

using Skipped = std::vector<SkippedJob>;

TEST(Schedule, WhatIsDueRunsOnceAndNothingElseDoes) {
    EXPECT_EQ(next_step({{.what = "full", .due = 100, .handled = 90}}, {}).run, "full");
    EXPECT_EQ(next_step({{.what = "full", .due = 100, .handled = 100}}, {}).run, std::nullopt);
    EXPECT_EQ(next_step({{.what = "full", .due = 100, .handled = 150}}, {}).run, std::nullopt);
    EXPECT_EQ(next_step({{.what = "full"}}, {}).run, std::nullopt) << "it never comes";
    EXPECT_EQ(next_step({}, {}).run, std::nullopt);
}

TEST(Schedule, OfBackupsTheLargerOneRuns) {
    const auto step = next_step({{.what = "incr", .due = 100, .handled = 1},
                                 {.what = "diff", .due = 90, .handled = 1},
                                 {.what = "full", .due = 50, .handled = 1}},
                                {});
    EXPECT_EQ(step.run, "full");
    EXPECT_EQ(step.skipped, (Skipped{{.what = "diff", .why = "full is due as well"},
                                     {.what = "incr", .why = "full is due as well"}}));
}

TEST(Schedule, BackupsComeBeforeWhatReadsThem) {
    std::vector<ScheduledTimes> jobs{{.what = "restore-test", .due = 100},
                                     {.what = "verify", .due = 100},
                                     {.what = "expire", .due = 100},
                                     {.what = "incr", .due = 100}};
    for (const auto* expected : {"incr", "expire", "verify", "restore-test"}) {
        const auto step = next_step(jobs, {});
        EXPECT_EQ(step.run, expected);
        EXPECT_TRUE(step.skipped.empty());
        std::erase_if(jobs, [&](const auto& job) { return job.what == expected; });
    }
}

TEST(Schedule, WhatOverlapsIsSkippedAndSaid) {
    const LastJob full{.what = "full", .began = 100, .ended = 200};
    const auto at = [&](const char* what, std::int64_t due) {
        return next_step({{.what = what, .due = due, .handled = 50}}, full);
    };
    EXPECT_EQ(at("incr", 150).run, std::nullopt);
    EXPECT_EQ(at("incr", 150).skipped, (Skipped{{.what = "incr", .why = "full was running"}}));
    EXPECT_EQ(at("full", 150).skipped, (Skipped{{.what = "full", .why = "full was running"}}));
    EXPECT_EQ(at("incr", 200).run, "incr") << "it had ended";
    EXPECT_EQ(at("incr", 90).run, "incr") << "due before";
    EXPECT_EQ(at("verify", 150).run, "verify") << "it waited for its turn";
}

}  // namespace
}  // namespace howdah::repo
