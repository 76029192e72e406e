#include <gtest/gtest.h>

#include <algorithm>

#include "ha/decide.h"

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{1000s};

template <class A>
bool does(const Plan& plan) {
    return std::any_of(plan.actions.begin(), plan.actions.end(),
                       [](const Action& a) { return std::holds_alternative<A>(a); });
}

/// The primary of epoch 4, which was told to stop so that pgvm3 takes over.
struct Stopping {
    View v{};

    Stopping() {
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
                   .role = Role::primary,
                   .state = PgState::stopping,
                   .tree_dead = false,
                   .timeline = 3,
                   .lsn = pg::Lsn(1000),
                   .job = {.kind = JobKind::stop, .running = true, .since = start}};
        v.cluster = Cluster{.initialize = "77", .config_json = "{}"};
        v.cluster_fresh = true;
        v.cluster->record = Sighting{.revision = 50,
                                     .value = render(record),
                                     .leader_revision = 50,
                                     .leader = "pgvm1",
                                     .record = record};
        v.tenure = Tenure{.epoch = 4, .deadline = start + 4s, .record = record};
        v.order = SwitchoverOrder{.candidate = "c",
                                  .candidate_name = "pgvm3",
                                  .checkpoint = SwitchoverOrder::Checkpoint::done,
                                  .asked = start - 1s};
        v.memory.decided.switching = true;
    }
    Stopping& at(Nanos t) {
        v.now = start + t;
        if (v.tenure) {
            v.tenure->deadline = v.now + 4s;
        }
        return *this;
    }
    Stopping& shut_down(Nanos t) {
        v.local.shut_down_seen = start + t;
        v.local.control.checkpoint = pg::Lsn(1000);
        return *this;
    }
    Stopping& candidate_at(std::uint64_t replayed) {
        v.peers = {.asked = v.now,
                   .complete = true,
                   .standings = {{.uuid = "c", .timeline = 3, .replayed = pg::Lsn(replayed)}}};
        return *this;
    }
    Plan decided() {
        auto plan = decide(v);
        v.memory = plan.memory.value_or(v.memory);
        return plan;
    }
};

TEST(Stop, IsLeftToPostgresqlAtFirst) {
    EXPECT_TRUE(Stopping().at(5s).decided().actions.empty());
}

TEST(Stop, IsCutShortOnceTheCandidateHasTheShutdownCheckpoint) {
    Stopping s;
    EXPECT_TRUE(does<AskPeers>(s.at(1s).shut_down(1s).decided()));
    EXPECT_FALSE(does<Fence>(s.at(1200ms).candidate_at(1120).decided()))
        << "archiver and walsenders get a moment for their last words";
    EXPECT_TRUE(does<Fence>(s.at(1600ms).decided()));
}

TEST(Stop, WaitsForACandidateThatLacksTheShutdownCheckpoint) {
    Stopping s;
    s.at(2s).shut_down(1s).candidate_at(1000);
    EXPECT_FALSE(does<Fence>(s.decided()));
    EXPECT_TRUE(does<AskPeers>(s.at(2600ms).decided())) << "again and again";
}

TEST(Stop, ForARestartNeedsNobodyElse) {
    Stopping s;
    s.v.order->restart = true;
    s.v.order->candidate = "a";
    EXPECT_TRUE(does<Fence>(s.at(2s).shut_down(1s).decided()));
}

TEST(Stop, HasADeadline) {
    Stopping s;
    const auto plan = s.at(10s).decided();
    ASSERT_TRUE(does<Fence>(plan)) << plan.why;
    s.v.local.postmaster = false;
    s.v.local.tree_dead = true;
    s.v.local.job = {.kind = JobKind::stop};
    s.v.local.final_lsn = pg::Lsn(1200);
    const auto next = s.at(11s).decided();
    EXPECT_TRUE(does<Release>(next) && does<EndSwitchover>(next))
        << "whoever has all WAL may go on: nobody knows that the candidate has";
}

TEST(Stop, ThatEndsAfterTheCheckpointHandsOver) {
    Stopping s;
    ASSERT_TRUE(does<Fence>(s.at(2s).shut_down(1s).candidate_at(1120).decided()));
    s.v.local.postmaster = false;
    s.v.local.tree_dead = true;
    s.v.local.shut_down_seen = {};
    s.v.local.job = {.kind = JobKind::stop};
    s.v.local.final_lsn = pg::Lsn(1120);
    EXPECT_TRUE(does<HandOver>(s.at(3s).decided()));
}

TEST(Stop, ThatFailedWhilePostgresqlAcceptsIsAbandoned) {
    Stopping s;
    s.v.local.job = {.kind = JobKind::stop, .since = start, .error = "no signal", .failures = 1};
    s.v.local.accepting = true;
    const auto plan = s.at(1s).decided();
    EXPECT_TRUE(does<EndSwitchover>(plan) && !does<Fence>(plan)) << plan.why;
    EXPECT_FALSE(s.v.memory.decided.switching);
}

TEST(Stop, OfAStandbyThatFailedEndsByForce) {
    Stopping s;
    s.v.tenure.reset();
    s.v.order.reset();
    s.v.local.role = Role::standby;
    s.v.local.job = {.kind = JobKind::stop, .since = start, .error = "60 s", .failures = 1};
    EXPECT_TRUE(does<Fence>(s.at(61s).decided()));
}

}  // namespace
}  // namespace howdah::ha
