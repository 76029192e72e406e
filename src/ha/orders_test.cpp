#include <gtest/gtest.h>

#include <algorithm>

#include "ha/decide.h"

// Restart and reinitialize, as an operator orders them.

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

template <class A>
bool does(const Plan& plan) {
    return std::any_of(plan.actions.begin(), plan.actions.end(),
                       [](const Action& a) { return std::holds_alternative<A>(a); });
}

constexpr Instant start{1000s};

struct AView {
    View v{};

    /// A standby of pgvm2.
    AView() {
        v.now = start;
        v.self = {.uuid = "a", .name = "pgvm1", .stored_epoch = 4};
        v.local = {.data_dir = DataDir::initialized,
                   .system_id = "77",
                   .postmaster = true,
                   .accepting = true,
                   .role = Role::standby,
                   .state = PgState::running,
                   .tree_dead = false,
                   .timeline = 3,
                   .lsn = pg::Lsn(1000)};
        v.local.following = Upstream{.name = "pgvm2", .host = "127.0.52.82", .port = 5432};
        v.local.streaming_from_following = true;
        v.cluster = Cluster{.initialize = "77", .config_json = "{}"};
        v.cluster->members = {Member{
            .name = "pgvm2", .conn_url = "postgres://127.0.52.82:5432/postgres", .uuid = "b"}};
        v.cluster_fresh = true;
        with_record({.epoch = 4,
                     .holder = "b",
                     .holder_name = "pgvm2",
                     .incarnation = "ib",
                     .ttl = 5s,
                     .state = RecordState::primary,
                     .claimers = {"a", "b"},
                     .promoted = {.uuid = "b", .epoch = 4, .timeline = 3},
                     .system_id = "77",
                     .timeline = 3});
    }
    AView& with_record(const Record& record) {
        v.cluster->record = Sighting{.revision = 50,
                                     .value = render(record),
                                     .leader_revision = 50,
                                     .leader = record.holder_name,
                                     .record = record};
        v.memory.decided.checked_epoch = record.epoch;
        return *this;
    }
    Record record() const { return *v.cluster->record.record; }
    AView& leads() {
        auto own = record();
        own.holder = own.promoted.uuid = "a";
        own.incarnation = "ia";
        with_record(own);
        v.tenure = Tenure{.epoch = 4, .deadline = v.now + Seconds(4), .record = own};
        v.local.role = Role::primary;
        v.local.following.reset();
        return *this;
    }
    AView& down() {
        v.local.postmaster = v.local.accepting = false;
        v.local.tree_dead = true;
        return *this;
    }
    /// This member, or another, handed the record over to `to`, and its term is over.
    AView& handed_over(const Uuid& by, const Uuid& to) {
        auto handed = record();
        handed.holder = handed.promoted.uuid = by;
        handed.state = RecordState::handover;
        handed.handover_to = to;
        handed.lsn = pg::Lsn(1000);
        v.tenure.reset();
        return with_record(handed);
    }
    AView& restart_ordered() {
        v.order = SwitchoverOrder{.candidate = "a",
                                  .candidate_name = "pgvm1",
                                  .checkpoint = SwitchoverOrder::Checkpoint::done,
                                  .asked = v.now,
                                  .restart = true};
        return *this;
    }
    Plan plan() const { return decide(v); }
};

TEST(Orders, PrimaryStopsForARestartWithoutAskingAnybody) {
    auto view = AView{}.leads().restart_ordered();
    view.v.order->checkpoint = SwitchoverOrder::Checkpoint::none;
    EXPECT_TRUE(does<BeginCheckpoint>(view.plan()));
    view.v.order->checkpoint = SwitchoverOrder::Checkpoint::done;
    const auto plan = view.plan();
    EXPECT_TRUE(does<Stop>(plan)) << plan.rule;
    EXPECT_TRUE(plan.memory->decided.switching);
}

TEST(Orders, PrimaryThatStoppedForARestartHandsOverToItself) {
    auto view = AView{}.leads().restart_ordered().down();
    view.v.memory.decided.switching = true;
    view.v.local.final_lsn = pg::Lsn(2000);
    const auto plan = view.plan();
    ASSERT_EQ(plan.rule, "hand_over");
    const auto handed = std::get<HandOver>(plan.actions.at(0));
    EXPECT_EQ(handed.to, "a");
    EXPECT_EQ(handed.lsn, pg::Lsn(2000));

    // What the store has of that comes later.
    view.v.memory = *plan.memory;
    view.v.tenure.reset();
    view.v.order.reset();
    EXPECT_FALSE(does<StartStandby>(view.plan())) << view.plan().rule;
    view.v.now = start + 3s;
    EXPECT_TRUE(does<StartStandby>(view.plan())) << view.plan().rule;
}

TEST(Orders, WhoHandedOverToItselfClaimsTheNextEpochAtOncePausedOrNot) {
    auto view = AView{}.down().handed_over("a", "a");
    EXPECT_TRUE(does<ClaimRecord>(view.plan())) << view.plan().rule;
    view.v.settings.pause = true;
    view.v.self.nofailover = true;
    EXPECT_TRUE(does<ClaimRecord>(view.plan()));
}

TEST(Orders, NobodyClaimsAtOnceWhatAnotherHandedOverToItself) {
    auto view = AView{}.handed_over("b", "b");
    EXPECT_FALSE(does<ClaimRecord>(view.plan()));
    EXPECT_FALSE(does<StartPrimary>(view.plan()));
}

TEST(Orders, PromiseAndDoubtInTheStoreForbidTheRestartsClaim) {
    auto promised = AView{}.down().handed_over("a", "a");
    promised.v.self.promised_until = start + 1s;
    EXPECT_FALSE(does<ClaimRecord>(promised.plan()));
    auto doubted = AView{}.down().handed_over("a", "a");
    doubted.v.memory = doubted.plan().memory.value();
    doubted.v.memory.noticed.suspect_until = start + 1s;
    EXPECT_FALSE(does<ClaimRecord>(doubted.plan()));
}

TEST(Orders, PausedStandbyLeadsOnlyWhatWasHandedToIt) {
    auto view = AView{}.handed_over("b", "a");
    view.v.settings.pause = true;
    const auto plan = view.plan();
    ASSERT_TRUE(does<ClaimRecord>(plan)) << plan.why;
    EXPECT_TRUE(plan.memory->decided.handed_over);

    auto claimed = AView{};
    auto record = claimed.record();
    record.holder = "a";
    record.state = RecordState::claimed;
    record.reserved = {.epoch = 5, .timeline = 9};
    claimed.with_record(record);
    claimed.v.tenure = Tenure{.epoch = 5, .deadline = start + 4s, .record = record};
    claimed.v.settings.pause = true;
    EXPECT_FALSE(does<Promote>(claimed.plan()));
    claimed.v.memory.decided.handed_over = true;
    EXPECT_TRUE(does<Promote>(claimed.plan()));
}

TEST(Orders, StandbyStopsForARestartAndStartsByItself) {
    auto view = AView{};
    view.v.standby_order = {.what = StandbyOrder::What::restart};
    EXPECT_TRUE(does<Stop>(view.plan()));
    EXPECT_TRUE(does<EndStandbyOrder>(view.plan()));
    view.down().v.standby_order.reset();
    EXPECT_TRUE(does<StartStandby>(view.plan())) << view.plan().why;
}

TEST(Orders, StandbyThatSomebodyElseStartedIsPutUnderAFencer) {
    auto view = AView{};
    view.v.local.unfenced = true;
    EXPECT_TRUE(does<Stop>(view.plan())) << view.plan().rule;
    view.down().v.local.unfenced = false;
    EXPECT_TRUE(does<StartStandby>(view.plan())) << view.plan().rule;
}

/// The holder says that no commit counts on this member, for the order of that id.
void not_counted(View& v, const std::string& id) {
    v.peers = {.about_revision = v.cluster->record.revision, .asked = v.now, .complete = true};
    v.peers.standings = {
        {.uuid = v.cluster->record.record->holder, .name = "pgvm2", .holds = true}};
    v.peers.standings[0].not_counted = {id};
}

TEST(Orders, StandbyIsCopiedAnewOnlyWhenItIsDown) {
    auto view = AView{};
    view.v.standby_order = {
        .what = StandbyOrder::What::reinitialize, .asked = start, .id = "order 1"};
    not_counted(view.v, "order 1");
    EXPECT_TRUE(does<Stop>(view.plan()));
    EXPECT_FALSE(does<Reinitialize>(view.plan()));
    const auto plan = view.down().plan();
    ASSERT_TRUE(does<Reinitialize>(plan)) << plan.rule;
    EXPECT_EQ(std::get<Reinitialize>(plan.actions.at(0)).from.name, "pgvm2");
}

TEST(Orders, MemberOfTheSyncSetLeavesItBeforeItIsCopiedAnew) {
    auto view = AView{}.down();
    auto record = view.record();
    record.sync = {.mode = SyncMode::on, .voters = {{.uuid = "a", .name = "pgvm1"}}, .copies = 1};
    view.with_record(record);
    view.v.standby_order = {
        .what = StandbyOrder::What::reinitialize, .asked = start, .id = "order 2"};
    EXPECT_TRUE(does<AskPeers>(view.plan())) << view.plan().rule;
    view.v.now = start + 31s;
    EXPECT_FALSE(does<Reinitialize>(view.plan()));
    EXPECT_TRUE(does<EndStandbyOrder>(view.plan()));
}

TEST(Orders, ThePrimarysWordForThisVeryOrderComesBeforeAWipe) {
    auto view = AView{}.down();
    view.v.standby_order = {
        .what = StandbyOrder::What::reinitialize, .asked = start, .id = "order 2"};
    EXPECT_FALSE(does<Reinitialize>(view.plan()))
        << "a publication that this member does not see may be on its way";
    not_counted(view.v, "order 1");
    EXPECT_FALSE(does<Reinitialize>(view.plan())) << "an earlier order";
    not_counted(view.v, "order 2");
    EXPECT_TRUE(does<Reinitialize>(view.plan())) << view.plan().rule;
    view.v.peers.standings[0].holds = false;
    EXPECT_FALSE(does<Reinitialize>(view.plan())) << "it leads no more";
}

TEST(Orders, NothingIsRemovedWithoutAPrimaryToCopyFrom) {
    const auto reinitialize = [](AView view) {
        view.v.standby_order = {.what = StandbyOrder::What::reinitialize, .asked = start};
        return view.down().plan();
    };
    auto silent = AView{};
    silent.v.cluster_fresh = false;
    auto released = AView{};
    auto record = released.record();
    record.state = RecordState::released;
    released.with_record(record);
    auto stranger = AView{};
    stranger.v.local.system_id = "78";
    auto higher = AView{};
    higher.v.self.stored_epoch = 5;
    for (const auto& view : {silent, released, stranger, higher, AView{}.leads()}) {
        EXPECT_FALSE(does<Reinitialize>(reinitialize(view)));
    }
}

}  // namespace
}  // namespace howdah::ha
