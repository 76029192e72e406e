#include <gtest/gtest.h>

#include <algorithm>

#include "ha/decide.h"
#include "ha/rules.h"

// Nobody is stopped or replaced in a paused cluster (N13).

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

template <class A>
bool does(const Plan& plan) {
    return std::any_of(plan.actions.begin(), plan.actions.end(),
                       [](const Action& a) { return std::holds_alternative<A>(a); });
}

/// pgvm1 led epoch 4 and its PostgreSQL runs; its agent was started anew and holds nothing.
struct Paused {
    View v{};

    explicit Paused(const Uuid& holder = "a") {
        v.now = Instant{1000s};
        v.settings.pause = true;
        v.self = {.uuid = "a", .name = "pgvm1", .stored_epoch = 4};
        v.local = {.data_dir = DataDir::initialized,
                   .system_id = "77",
                   .postmaster = true,
                   .accepting = true,
                   .role = Role::primary,
                   .tree_dead = false,
                   .timeline = 3,
                   .lsn = pg::Lsn(1000)};
        const Record record{.epoch = 4,
                            .holder = holder,
                            .holder_name = "pgvm1",
                            .incarnation = "i",
                            .ttl = 5s,
                            .state = RecordState::primary,
                            .claimers = {"a", "b"},
                            .promoted = {.uuid = holder, .epoch = 4, .timeline = 3},
                            .system_id = "77",
                            .timeline = 3};
        v.cluster = Cluster{.record = {.revision = 50, .value = render(record), .record = record},
                            .initialize = "77",
                            .config_json = "{}"};
    }
    Paused& down(std::string state) {
        v.local.postmaster = v.local.accepting = false;
        v.local.tree_dead = true;
        v.local.control.state = std::move(state);
        return *this;
    }
    Plan plan() const { return decide(v); }
};

TEST(Pause, AStartedAgentTakesItsPrimaryOver) {
    EXPECT_TRUE(does<TakeOver>(Paused{}.plan())) << Paused{}.plan().why;
    auto resumed = Paused{};
    resumed.v.settings.pause = false;
    EXPECT_TRUE(does<Fence>(resumed.plan())) << "without an armed fencer";
}

TEST(Pause, APrimaryIsLeftRunningWithoutTheStore) {
    auto silent = Paused{};
    silent.v.last_record = silent.v.cluster->record.record;
    silent.v.cluster = {};
    EXPECT_FALSE(does<Fence>(silent.plan())) << silent.plan().why;
    EXPECT_FALSE(does<Stop>(silent.plan()));
    silent.v.last_record->holder = "b";
    EXPECT_TRUE(does<Fence>(silent.plan())) << "another led last";
}

TEST(Pause, ATermThatRunsOutStopsNobody) {
    auto late = Paused{};
    late.v.tenure = Tenure{
        .epoch = 4, .deadline = late.v.now + 100ms, .record = *late.v.cluster->record.record};
    EXPECT_FALSE(does<Fence>(late.plan()));
    EXPECT_FALSE(does<Stop>(late.plan()));
}

TEST(Pause, APrimaryBesideAnotherHolderIsFenced) {
    EXPECT_TRUE(does<Fence>(Paused{"b"}.plan())) << "promoted by hand";
}

TEST(Pause, WhatWasStoppedInOrderStaysDown) {
    auto stopped = Paused{"b"}.down("shut down");
    EXPECT_FALSE(does<StartStandby>(stopped.plan())) << stopped.plan().why;
    stopped.v.memory.decided.start_again = true;
    EXPECT_TRUE(does<StartStandby>(stopped.plan()))
        << "its agent stopped it: " << stopped.plan().why;
    EXPECT_FALSE(does<ClaimRecord>(Paused{}.down("shut down").plan()));
}

TEST(Pause, AStandbyThatIsRestartedComesBack) {
    auto standby = Paused{"b"};
    standby.v.local.role = Role::standby;
    standby.v.standby_order = {.what = StandbyOrder::What::restart};
    auto plan = standby.plan();
    ASSERT_TRUE(does<Stop>(plan)) << plan.why;
    standby.v.memory = *plan.memory;
    standby.v.standby_order.reset();
    standby.v.local.job = {.kind = JobKind::stop, .running = true};
    plan = standby.plan();
    EXPECT_FALSE(does<StartStandby>(plan));
    standby.v.memory = plan.memory.value_or(standby.v.memory);
    standby.down("shut down in recovery").v.local.job = {};
    EXPECT_TRUE(does<StartStandby>(standby.plan())) << standby.plan().why;
}

TEST(Pause, NobodyClaimsWhatAPausedHolderMayStillWrite) {
    auto standby = Paused{"b"};
    standby.v.self.uuid = "c";
    standby.v.local.role = Role::standby;
    standby.v.settings.pause = false;  // resumed meanwhile
    auto record = *standby.v.cluster->record.record;
    record.claimers = {"b", "c"};
    record.paused = true;
    standby.v.cluster->record.record = record;
    const auto why = ineligibilities(standby.v);
    ASSERT_EQ(why.size(), 1U);
    EXPECT_NE(why.front().find("may still take writes"), std::string::npos) << why.front();
    EXPECT_NE(why.front().find("--accept-loss"), std::string::npos) << "the way out";
    standby.v.cluster->record.record->paused = false;
    EXPECT_TRUE(ineligibilities(standby.v).empty());
}

TEST(Pause, AMemberThatLostItsStateDirectoryIsLeftRunning) {
    auto primary = Paused{"b"};
    primary.v.cluster->record.record->paused = true;
    EXPECT_FALSE(does<Fence>(primary.plan())) << "it led under this name";
    primary.v.local.system_id = "78";
    EXPECT_TRUE(does<Fence>(primary.plan()));
}

TEST(Pause, APrimaryThatCrashedIsRecoveredInPlace) {
    const auto plan = Paused{}.down("in production").plan();
    EXPECT_FALSE(does<StartStandby>(plan));
    auto later = Paused{}.down("in production");
    later.v.memory = plan.memory.value_or(Memory{});
    later.v.now = later.v.now + 1s;
    later.v.peers = {
        .about_revision = later.v.cluster->record.revision, .asked = later.v.now, .complete = true};
    EXPECT_TRUE(does<ClaimRecord>(later.plan())) << later.plan().why;
}

}  // namespace
}  // namespace howdah::ha
