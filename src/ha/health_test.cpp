#include <gtest/gtest.h>

#include <algorithm>

#include "ha/decide.h"
#include "ha/sickness.h"

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{1000s};

/// The primary of epoch 4, which has been ill for a while; pgvm3 answers that it is well.
struct SickPrimary {
    View v{};

    SickPrimary() {
        const Record record{.epoch = 4,
                            .holder = "a",
                            .holder_name = "pgvm1",
                            .incarnation = "ia",
                            .ttl = 5s,
                            .state = RecordState::primary,
                            .claimers = {"a", "c"},
                            .promoted = {.uuid = "a", .epoch = 4, .timeline = 3},
                            .system_id = "77",
                            .timeline = 3};
        v.now = start;
        v.self = {.uuid = "a", .name = "pgvm1", .stored_epoch = 4, .armed_until = start + 60s};
        v.local = {.data_dir = DataDir::initialized,
                   .system_id = "77",
                   .postmaster = true,
                   .accepting = true,
                   .role = Role::primary,
                   .state = PgState::running,
                   .tree_dead = false,
                   .timeline = 3,
                   .lsn = pg::Lsn(1000),
                   .answered = start};
        v.cluster = Cluster{.initialize = "77", .config_json = "{}"};
        v.cluster_fresh = true;
        v.cluster->record = Sighting{.revision = 50,
                                     .value = render(record),
                                     .leader_revision = 50,
                                     .leader = "pgvm1",
                                     .record = record};
        v.tenure = Tenure{.epoch = 4, .deadline = start + 4s, .record = record};
        v.local.disk_trouble = "/data: write failed: No space left on device";
        decided();
    }
    Plan decided() {
        auto plan = decide(v);
        v.memory = plan.memory.value_or(v.memory);
        return plan;
    }
    SickPrimary& after(Nanos t) {
        v.now = v.now + t;
        v.tenure->deadline = v.now + 4s;
        return *this;
    }
    SickPrimary& asked(std::vector<Standing> answers) {
        v.peers = {.asked = v.now, .complete = true, .standings = std::move(answers)};
        return *this;
    }
};

Standing healthy(std::uint64_t received = 1000) {
    return {.uuid = "c", .name = "pgvm3", .timeline = 3, .received = pg::Lsn(received)};
}

template <class A>
bool does(const Plan& plan) {
    return std::any_of(plan.actions.begin(), plan.actions.end(),
                       [](const Action& a) { return std::holds_alternative<A>(a); });
}

TEST(Sickness, IsAPostmasterThatAnswersNobodyAndADiskThatTakesNothing) {
    Local local{.postmaster = true, .answered = start};
    EXPECT_EQ(sickness(local, start + 7s), "");
    EXPECT_EQ(sickness(local, start + 12s),
              "its postmaster has answered no new connection for 12 s");
    local.disk_trouble = "/data: read-only";
    EXPECT_EQ(sickness(local, start), "its disk takes no writes: /data: read-only");
    EXPECT_EQ(sickness(Local{.answered = start}, start + 12s), "") << "nothing runs";
}

TEST(SickPrimary, AsksTheOthersOnceItsTroubleLasts) {
    SickPrimary ill;
    EXPECT_FALSE(does<AskPeers>(ill.after(3s).decided()));
    EXPECT_TRUE(does<AskPeers>(ill.after(2s).decided()));
}

TEST(SickPrimary, LeavesForAHealthyStandbyThatHasItsWal) {
    EXPECT_TRUE(does<Fence>(SickPrimary{}.after(5s).asked({healthy()}).decided()));
}

TEST(SickPrimary, StaysWhileNobodyCouldTakeOver) {
    auto ill = healthy();
    ill.may_lead = false;
    EXPECT_FALSE(does<Fence>(SickPrimary{}.after(5s).asked({ill}).decided()));
    EXPECT_FALSE(does<Fence>(SickPrimary{}.after(5s).asked({}).decided()));
    auto astray = healthy();
    astray.timeline = 2;
    EXPECT_FALSE(does<Fence>(SickPrimary{}.after(5s).asked({astray}).decided()));
}

TEST(SickPrimary, GivesAStandbyThatLagsTimeToCatchUp) {
    EXPECT_FALSE(does<Fence>(SickPrimary{}.after(5s).asked({healthy(900)}).decided()));
    EXPECT_TRUE(does<Fence>(SickPrimary{}.after(15s).asked({healthy(900)}).decided()));
}

TEST(SickPrimary, StaysInAPausedCluster) {
    SickPrimary ill;
    ill.v.settings.pause = true;
    EXPECT_FALSE(does<Fence>(ill.after(5s).asked({healthy()}).decided()));
}

TEST(SickPrimary, ThatRecoversForgetsIt) {
    SickPrimary ill;
    ill.v.local.disk_trouble.clear();
    ill.after(1s).decided();
    ill.v.local.disk_trouble = "/data: write failed";
    ill.after(1s).decided();
    EXPECT_FALSE(does<AskPeers>(ill.after(3s).decided()));
}

TEST(SickPrimary, IsLeftThoughEveryStepFailsOnItsFullDisk) {
    SickPrimary ill;
    ill.v.memory = {};
    ill.v.settings.sync_mode = SyncMode::on;
    ill.v.local.sync_standby_names = "\"pgvm3\"";
    ill.asked({healthy()});
    const auto fails = [&ill] {
        const auto plan = decide(ill.v);
        ill.v.memory = remembered_after(plan, false, ill.v.memory);
        return plan;
    };
    for (int second = 0; second < 4; ++second) {
        EXPECT_TRUE(does<SetStandbyNames>(fails()));
        ill.after(1s);
    }
    EXPECT_TRUE(does<Fence>(ill.asked({healthy()}).decided()));
}

TEST(SickPrimary, WhoseTreeDoesNotDieLetsItsTermEnd) {
    SickPrimary ill;
    ASSERT_TRUE(does<Fence>(ill.after(5s).asked({healthy()}).decided()));
    EXPECT_FALSE(does<LetTermEnd>(ill.after(2s).decided()));
    const auto plan = ill.after(1s).decided();
    EXPECT_TRUE(does<LetTermEnd>(plan)) << plan.why;
    EXPECT_TRUE(does<Fence>(ill.after(1s).asked({healthy()}).decided())) << "once is enough";
    ill.v.local.postmaster = false;
    ill.v.local.tree_dead = true;
    EXPECT_TRUE(does<Release>(ill.after(1s).decided())) << "proven dead after all";
}

TEST(SickPrimary, WhoseDiskHangsLetsItsTermEndAtOnce) {
    SickPrimary ill;
    ill.v.local.disk_waits_since = ill.v.now;
    const auto plan = ill.after(5s).asked({healthy()}).decided();
    EXPECT_TRUE(does<Fence>(plan) && does<LetTermEnd>(plan)) << plan.why;
}

TEST(SickPrimary, CountsFromTheBeginningOfTheWriteThatHangs) {
    SickPrimary ill;
    ill.v.memory.noticed.sick_since = {};
    ill.v.local.disk_waits_since = ill.v.now;
    EXPECT_TRUE(does<AskPeers>(ill.after(5s).decided())) << "it was told only after five seconds";
}

}  // namespace
}  // namespace howdah::ha
