#include "agent/state_dir.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace howdah::agent {
namespace {

struct StateDirTest : testing::Test {
    StateDirTest() {
        std::string pattern = "/tmp/howdah-state-XXXXXX";
        root = mkdtemp(pattern.data());
    }
    ~StateDirTest() override { std::filesystem::remove_all(root); }
    std::string path() const { return root + "/data.howdah"; }
    std::string root;
};

TEST_F(StateDirTest, UuidAndEpochSurviveARestart) {
    ha::Uuid uuid;
    {
        const auto dir = StateDir::open(path()).value();
        uuid = dir->member_uuid();
        EXPECT_EQ(uuid.size(), 32U);
        ASSERT_TRUE(dir->store({.epoch = 7, .incarnation = "i", .revision = 99}));
    }
    const auto dir = StateDir::open(path()).value();
    EXPECT_EQ(dir->member_uuid(), uuid);
    EXPECT_EQ(dir->load().epoch, 7U);
    EXPECT_EQ(dir->load().revision, 99);
}

TEST_F(StateDirTest, SecondAgentIsRefusedWithThePidOfTheFirst) {
    const auto first = StateDir::open(path()).value();
    const auto second = StateDir::open(path());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos);
}

TEST_F(StateDirTest, NeverLowersTheEpoch) {
    const auto dir = StateDir::open(path()).value();
    ASSERT_TRUE(dir->store({.epoch = 7}));
    EXPECT_EQ(dir->store({.epoch = 6}).error().code, Errc::conflict);
    EXPECT_EQ(dir->load().epoch, 7U);
}

}  // namespace
}  // namespace howdah::agent
