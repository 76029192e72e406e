#include "ha/settings.h"

#include <gtest/gtest.h>

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

TEST(LeaseTimes, CandidateWaitOutlastsTheHolderWhateverBothClocksDo) {
    for (const auto* profile : {"lan-fast", "default", "wan"}) {
        const auto t = LeaseTimes::of_profile(profile).value();
        const auto rho = t.clock_rate_bound;
        EXPECT_GE(double(t.candidate_wait().count()) / (1 + rho), double(t.ttl.count()) / (1 - rho))
            << profile;
    }
}

TEST(LeaseTimes, ExplicitTtlOfFiveSecondsOrMoreTakesTheWideBudgets) {
    const auto t = LeaseTimes::of_ttl(30s).value();
    EXPECT_EQ(t.ttl, 30s);
    EXPECT_EQ(t.fence_budget, 500ms);
    EXPECT_EQ(t.graceful_budget, 1500ms);
    EXPECT_EQ(LeaseTimes::of_ttl(4s).value().fence_budget, 200ms);
}

TEST(LeaseTimes, RejectsATtlBelowTwoSeconds) {
    EXPECT_NE(LeaseTimes::of_ttl(1s).error().message.find("minimum of 2 s"), std::string::npos);
}

TEST(LeaseTimes, NamesTheProfilesWhenOneIsUnknown) {
    EXPECT_EQ(LeaseTimes::of_profile("fast").error().hint, "take lan-fast, default or wan");
}

TEST(LeaseTimes, LeaderKeyLivesAtLeastThirtySeconds) {
    EXPECT_EQ(LeaseTimes{}.leader_key_ttl(), 30s);
    EXPECT_EQ(LeaseTimes::of_ttl(30s)->leader_key_ttl(), 90s);
}

}  // namespace
}  // namespace howdah::ha
