#include "agent/compaction.h"

#include <gtest/gtest.h>

#include <vector>

namespace howdah::agent {
namespace {

TEST(Compaction, GoesEveryFiveMinutesToWhatWasSeenTenMinutesBefore) {
    Compaction compaction;
    std::vector<std::pair<int, dcs::Revision>> done;  // minute, revision
    for (int second = 0; second < 3600; second += 10) {
        const auto to = compaction.due(Instant{Seconds(1000 + second)}, second);
        if (to) {
            done.emplace_back(second / 60, *to);
        }
    }
    ASSERT_EQ(done.size(), 10U);
    EXPECT_EQ(done[0], std::pair(10, dcs::Revision{0}));
    EXPECT_EQ(done[1], std::pair(15, dcs::Revision{300}));
    EXPECT_EQ(done[9], std::pair(55, dcs::Revision{2700}));
}

TEST(Compaction, ForgetsNothingInItsFirstTenMinutes) {
    Compaction compaction;
    for (int second = 0; second < 600; ++second) {
        EXPECT_FALSE(compaction.due(Instant{Seconds(1000 + second)}, second));
    }
}

}  // namespace
}  // namespace howdah::agent
