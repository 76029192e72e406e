#include "ha/explain.h"

#include <gtest/gtest.h>

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

View a_standby() {
    const Record record{.epoch = 4,
                        .holder = "b",
                        .holder_name = "pgvm2",
                        .ttl = 5s,
                        .state = RecordState::primary,
                        .claimers = {"a", "b"},
                        .promoted = {.uuid = "b", .epoch = 4, .timeline = 3},
                        .system_id = "77"};
    View v{.now = Instant{1000s}};
    v.self = {.uuid = "a", .name = "pgvm1"};
    v.local = {.data_dir = DataDir::initialized,
               .system_id = "77",
               .postmaster = true,
               .accepting = true,
               .role = Role::standby,
               .timeline = 3};
    v.cluster = Cluster{.record = {.revision = 5, .leader_revision = 5, .record = record}};
    v.memory.noticed.record_first_seen = v.now - 1s;
    v.memory.noticed.record_wait = 5200ms;
    return v;
}

TEST(Obstacles, OfAHealthyStandbyAreTheHolderAlone) {
    EXPECT_EQ(obstacles(a_standby()),
              std::vector<std::string>{"pgvm2 holds epoch 4: it has to hand over or release, or be "
                                       "silent for 5.2 s (now for 1.0 s)"});
}

TEST(Obstacles, NameEveryReasonOfTheMemberItself) {
    auto v = a_standby();
    v.self.nofailover = true;
    v.self.uuid = "stranger";
    v.local.accepting = false;
    const auto all = obstacles(v);
    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(all[0], "PostgreSQL does not answer here");
    EXPECT_EQ(all[1], "its tag nofailover is set");
    EXPECT_EQ(all[2], "it is not among the claimers of the record");
}

TEST(Obstacles, OfThePrimaryAreNone) {
    auto v = a_standby();
    v.local.role = Role::primary;
    v.tenure = Tenure{.epoch = 4, .deadline = v.now + 3s, .record = *v.cluster->record.record};
    EXPECT_TRUE(obstacles(v).empty());
}

}  // namespace
}  // namespace howdah::ha
