#include "proxy/sentinel.h"

#include <gtest/gtest.h>

#include <functional>

#include "proxy/fake_postgres_for_test.h"
#include "proxy/sockets.h"

namespace howdah::proxy {
namespace {

class SentinelTest : public testing::Test {
protected:
    SentinelTest() {
        scope_.spawn([this] { return sentinel_.run(); });
    }
    ~SentinelTest() override {
        io::asio::co_spawn(context_, scope_.close(), [](std::exception_ptr) {});
        context_.restart();
        context_.run();
    }
    Target target() {
        return {.member = "u1",
                .name = "pgvm1",
                .address = server_.address(),
                .epoch = 5,
                .timeline = 3,
                .system_id = "7",
                .is_primary = true};
    }
    bool eventually(const std::function<bool()>& holds) {
        const auto end = boot_time() + Seconds(5);
        while (!holds() && boot_time() < end) {
            context_.restart();
            context_.run_for(Millis(2));
        }
        return holds();
    }
    bool verified() const { return sentinel_.verified("u1", 5); }

    FakePostgres server_{};
    io::SystemClock clock_{};
    io::asio::io_context context_{1};
    io::Scope scope_{context_.get_executor()};
    Sentinel sentinel_{scope_, clock_, {{.username = "postgres"}}, [] {}};
};

TEST_F(SentinelTest, VerifiesThePrimaryThatTheRecordMeans) {
    sentinel_.aim(target());
    EXPECT_TRUE(eventually([&] { return verified(); })) << sentinel_.state();
    EXPECT_FALSE(sentinel_.verified("u1", 4));
    EXPECT_FALSE(sentinel_.verified("u2", 5));
    EXPECT_EQ(sentinel_.state(), "verified pgvm1");
}

TEST_F(SentinelTest, WaitsUntilAStandbyIsPromoted) {
    server_.answer({"t", "7", ""});
    sentinel_.aim(target());
    EXPECT_TRUE(eventually([&] { return sentinel_.state() == "pgvm1 is still in recovery"; }));
    server_.answer({"f", "7", "000000030000000000000005"});
    EXPECT_TRUE(eventually([&] { return verified(); }));
    EXPECT_EQ(server_.logins(), 1);
}

TEST_F(SentinelTest, RefusesAnotherTimelineAndAnotherCluster) {
    server_.answer({"f", "7", "000000020000000000000005"});
    sentinel_.aim(target());
    EXPECT_TRUE(eventually(
        [&] { return sentinel_.state() == "pgvm1 is on timeline 2, the record says 3"; }));
    server_.answer({"f", "8", "000000030000000000000005"});
    EXPECT_TRUE(
        eventually([&] { return sentinel_.state().find("another cluster") != std::string::npos; }));
    EXPECT_FALSE(verified());
}

TEST_F(SentinelTest, ConnectsInAdvanceAndAsksWhenTheRecordTurnsPrimary) {
    auto claimed = target();
    claimed.is_primary = false;
    sentinel_.aim(claimed);
    EXPECT_TRUE(eventually([&] { return server_.logins() == 1; }));
    EXPECT_TRUE(eventually(
        [&] { return sentinel_.state() == "connected to pgvm1, which is not primary yet"; }));
    sentinel_.aim(target());
    EXPECT_FALSE(verified());
    EXPECT_TRUE(eventually([&] { return verified(); }));
    EXPECT_EQ(server_.logins(), 1);
}

TEST_F(SentinelTest, ALostConnectionVerifiesNothingUntilAskedAgain) {
    sentinel_.aim(target());
    ASSERT_TRUE(eventually([&] { return verified(); }));
    server_.answer({"t", "7", ""});
    server_.hang_up();
    EXPECT_TRUE(eventually([&] { return !verified(); }));
    server_.answer({"f", "7", "000000030000000000000005"});
    EXPECT_TRUE(eventually([&] { return verified(); }));
    EXPECT_EQ(server_.logins(), 2);
}

TEST_F(SentinelTest, ANewEpochOfTheSameMemberIsAskedAnew) {
    sentinel_.aim(target());
    ASSERT_TRUE(eventually([&] { return verified(); }));
    auto next = target();
    next.epoch = 6;
    sentinel_.aim(next);
    EXPECT_FALSE(verified());
    EXPECT_TRUE(eventually([&] { return sentinel_.verified("u1", 6); }));
    EXPECT_EQ(server_.logins(), 1);
}

TEST_F(SentinelTest, SaysWhyItCannotConnect) {
    auto nowhere = target();
    nowhere.address = Address::numeric("127.0.62.2", 1).value();
    sentinel_.aim(nowhere);
    EXPECT_TRUE(eventually(
        [&] { return sentinel_.state().find("Connection refused") != std::string::npos; }));
    sentinel_.aim(target());
    EXPECT_TRUE(eventually([&] { return verified(); }));
}

}  // namespace
}  // namespace howdah::proxy
