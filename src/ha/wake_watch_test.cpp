#include "ha/wake_watch.h"

#include <gtest/gtest.h>

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

constexpr Instant boot{1000s};
constexpr std::int64_t wall = 1'700'000'000'000'000'000;

std::int64_t after(Nanos t) {
    return wall + t.count();
}

TEST(WakeWatch, ClocksThatMoveTogetherShowNoPause) {
    WakeWatch watch;
    watch.wake(boot, wall);
    watch.wake(boot + 5s, after(5s + 249ms));
    watch.wake(boot + 60s, after(60s + 200ms));
    EXPECT_EQ(watch.pauses(), 0U);
}

TEST(WakeWatch, TimeThatOnlyTheWallClockShowsIsAPause) {
    WakeWatch watch;
    watch.wake(boot, wall);
    watch.wake(boot + 1s, after(1s + 251ms));
    EXPECT_EQ(watch.pauses(), 1U);
    watch.wake(boot + 2s, after(2s + 251ms));
    EXPECT_EQ(watch.pauses(), 1U) << "counted once";
    watch.wake(boot + 3s, after(3s));
    EXPECT_EQ(watch.pauses(), 2U) << "a wall clock set back proves nothing either";
}

TEST(WakeWatch, AWakeUpThatIsLateByMoreThanHalfOfTIsAPause) {
    WakeWatch watch;
    watch.overslept(boot, boot + 2500ms, 5s);
    EXPECT_EQ(watch.pauses(), 0U);
    watch.overslept(boot, boot + 2501ms, 5s);
    EXPECT_EQ(watch.pauses(), 1U);
}

}  // namespace
}  // namespace howdah::ha
