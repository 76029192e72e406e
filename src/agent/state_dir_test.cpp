#include "agent/state_dir.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

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

TEST_F(StateDirTest, KnowsHowMuchWalWasHeld) {
    const ha::HeldWal much{.system_id = "77", .timeline = 12, .lsn = pg::Lsn(1ULL << 60U)};
    const ha::HeldWal less{.system_id = "77", .timeline = 2, .lsn = pg::Lsn(7)};
    {
        const auto dir = StateDir::open(path()).value();
        EXPECT_EQ(dir->held_wal(), ha::HeldWal{});
        ASSERT_TRUE(dir->keep_held_wal(much));
        ASSERT_TRUE(dir->keep_held_wal(less));
    }
    EXPECT_EQ(StateDir::open(path()).value()->held_wal(), less);
    std::ofstream(path() + "/held_wal") << "{\"system";
    EXPECT_EQ(StateDir::open(path()).value()->held_wal(), ha::HeldWal{}) << "cut off by a crash";
}

TEST_F(StateDirTest, KnowsWhatMembersWereCalled) {
    const ha::MemberNames names{{"u1", "pgvm1"}, {"u2", "p\"\n\xc3\xa4"}};
    {
        const auto dir = StateDir::open(path()).value();
        EXPECT_EQ(dir->names(), ha::MemberNames{});
        ASSERT_TRUE(dir->keep_names(names));
    }
    EXPECT_EQ(StateDir::open(path()).value()->names(), names);
    std::ofstream(path() + "/names") << "{\"u1";
    EXPECT_EQ(StateDir::open(path()).value()->names(), ha::MemberNames{})
        << "no reason not to start";
}

TEST_F(StateDirTest, NeverForgetsATimelineNumber) {
    {
        const auto dir = StateDir::open(path()).value();
        EXPECT_EQ(dir->greatest_timeline(), 0U);
        ASSERT_TRUE(dir->keep_timeline(7));
        ASSERT_TRUE(dir->keep_timeline(5));
    }
    EXPECT_EQ(StateDir::open(path()).value()->greatest_timeline(), 7U);
    std::ofstream(path() + "/timeline") << "seven";
    EXPECT_FALSE(StateDir::open(path()));
}

TEST_F(StateDirTest, KeepsAPauseOverARestart) {
    {
        const auto dir = StateDir::open(path()).value();
        EXPECT_FALSE(dir->paused());
        ASSERT_TRUE(dir->keep_paused(true));
    }
    EXPECT_TRUE(StateDir::open(path()).value()->paused());
}

TEST_F(StateDirTest, OfANewerHowdahIsRefusedAndLeftAlone) {
    const auto uuid = StateDir::open(path()).value()->member_uuid();
    std::ofstream(path() + "/format") << "2\n";
    const auto newer = StateDir::open(path());
    ASSERT_FALSE(newer);
    EXPECT_EQ(newer.error().code, Errc::unsafe);
    EXPECT_FALSE(newer.error().hint.empty());
    std::ofstream(path() + "/format") << "1\n";
    EXPECT_EQ(StateDir::open(path()).value()->member_uuid(), uuid);
}

TEST_F(StateDirTest, ARecordThatCannotBeReadIsNotTakenForNone) {
    (void)StateDir::open(path()).value();
    std::ofstream(path() + "/record") << "{";
    EXPECT_FALSE(StateDir::open(path()));
}

TEST_F(StateDirTest, NeverLowersTheEpoch) {
    const auto dir = StateDir::open(path()).value();
    ASSERT_TRUE(dir->store({.epoch = 7}));
    EXPECT_EQ(dir->store({.epoch = 6}).error().code, Errc::conflict);
    EXPECT_EQ(dir->load().epoch, 7U);
}

}  // namespace
}  // namespace howdah::agent
