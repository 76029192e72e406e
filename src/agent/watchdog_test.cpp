#include <gtest/gtest.h>

#include "agent/device_watchdog.h"
#include "agent/model_watchdog.h"

namespace howdah::agent {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{1000s};
const auto ten_seconds = ha::LeaseTimes::of_ttl(10s).value();

TEST(Watchdog, TimeoutLeavesRoomForTheFencer) {
    const auto f = ten_seconds.fence_budget;
    EXPECT_EQ(ten_seconds.watchdog_timeout(5s), 5s);
    EXPECT_EQ(ten_seconds.watchdog_timeout(-1s), 5s) << "half of T";
    EXPECT_EQ(ten_seconds.watchdog_timeout(30s), 5s) << "no room for such a margin";
    EXPECT_LE(Nanos(ten_seconds.watchdog_timeout(0s)), Nanos(10s - 2 * f));
}

TEST(Watchdog, AnAnswerThatCameLateDoesNotPostponeTheResetPastTheTerm) {
    ModelWatchdog device(5s);
    ASSERT_TRUE(device.start(ten_seconds));
    device.pet(start, start + 100ms);
    EXPECT_EQ(device.resets_at(), start + 5100ms);
    const auto latest = start + 10s - ten_seconds.fence_budget;
    device.pet(start, start + 4600ms);
    EXPECT_LE(device.resets_at(), latest);
    device.pet(start, start + 5s);
    EXPECT_LE(device.resets_at(), latest) << "a timer of the caller's proves nothing";
    device.stop();
    EXPECT_TRUE(device.resets_at().never());
}

TEST(Watchdog, RequiredWithoutADeviceRefusesToClaimAndSaysWhy) {
    DeviceWatchdog required({.mode = config::Watchdog::Mode::required, .device = "/dev/none"});
    EXPECT_EQ(required.trouble(), "/dev/none: No such file or directory");
    const auto started = required.start(ten_seconds);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::unsafe);
    EXPECT_EQ(started.error().message, "/dev/none: No such file or directory");
}

TEST(Watchdog, AFileThatIsNoDeviceIsToldFromOne) {
    DeviceWatchdog required({.mode = config::Watchdog::Mode::required, .device = "/dev/null"});
    const auto started = required.start(ten_seconds);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().message,
              "/dev/null: it takes no timeout of 5 s: Inappropriate ioctl for device");
}

TEST(Watchdog, AutomaticDoesWithoutADevice) {
    DeviceWatchdog automatic({.mode = config::Watchdog::Mode::automatic, .device = "/dev/none"});
    EXPECT_TRUE(automatic.start(ten_seconds));
    automatic.pet(start, start);
    EXPECT_EQ(automatic.trouble(), "");
}

}  // namespace
}  // namespace howdah::agent
