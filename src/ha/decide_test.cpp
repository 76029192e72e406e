#include "ha/decide.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ha/rules.h"

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

template <class A>
bool does(const Plan& plan) {
    return std::any_of(plan.actions.begin(), plan.actions.end(),
                       [](const Action& a) { return std::holds_alternative<A>(a); });
}

constexpr Instant start{1000s};

Record a_record(RecordState state = RecordState::primary) {
    return Record{.epoch = 4,
                  .holder = "b",
                  .holder_name = "pgvm2",
                  .incarnation = "ib",
                  .ttl = 5s,
                  .state = state,
                  .claimers = {"a", "b", "c"},
                  .promoted = {.uuid = "b", .epoch = 4, .timeline = 3},
                  .system_id = "77",
                  .timeline = 3};
}

/// A standby of pgvm2 that just saw the record; each test changes what it is about.
struct AView {
    View v{};

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
        v.cluster = Cluster{.initialize = "77"};
        v.cluster->members = {Member{
            .name = "pgvm2", .conn_url = "postgres://127.0.52.82:5432/postgres", .uuid = "b"}};
        with_record(a_record());
    }
    AView& with_record(const Record& record, std::int64_t revision = 50) {
        v.cluster->record = Sighting{.revision = revision,
                                     .value = render(record),
                                     .leader_revision = revision,
                                     .leader = record.holder_name,
                                     .record = record};
        v.memory = decide(v).memory.value_or(Memory{});
        return *this;
    }
    AView& as_holder(RecordState state = RecordState::primary, Nanos term_left = 4s) {
        auto record = a_record(state);
        record.holder = "a";
        record.incarnation = "ia";
        record.promoted.uuid = "a";
        with_record(record);
        v.tenure = Tenure{.epoch = 4, .deadline = v.now + term_left, .record = record};
        return *this;
    }
    AView& as_primary() {
        v.local.role = Role::primary;
        v.local.following.reset();
        return *this;
    }
    AView& down() {
        v.local.postmaster = v.local.accepting = false;
        v.local.tree_dead = true;
        return *this;
    }
    AView& after(Nanos t) {
        v.now = v.now + t;
        return *this;
    }
    AView& asked(std::vector<Standing> standings = {}) {
        v.peers = {.about_revision = v.cluster->record.revision,
                   .asked = v.now,
                   .complete = true,
                   .standings = std::move(standings)};
        return *this;
    }
    Plan plan() const { return decide(v); }
};

TEST(Decide, PrimaryWithoutTermIsFenced) {
    EXPECT_TRUE(does<Fence>(AView{}.as_primary().plan()));
}

TEST(Decide, PrimaryIsFencedOneFenceBudgetBeforeItsDeadline) {
    EXPECT_FALSE(does<Fence>(AView{}.as_holder(RecordState::primary, 301ms).as_primary().plan()));
    EXPECT_TRUE(does<Fence>(AView{}.as_holder(RecordState::primary, 300ms).as_primary().plan()));
}

TEST(Decide, PrimaryStopsGracefullyBeforeItIsFenced) {
    const auto plan = AView{}.as_holder(RecordState::primary, 500ms).as_primary().plan();
    EXPECT_TRUE(does<Stop>(plan));
    EXPECT_FALSE(does<Fence>(plan));
}

TEST(Decide, PrimaryWithTermLeads) {
    EXPECT_EQ(AView{}.as_holder().as_primary().plan().rule, "lead");
}

TEST(Decide, StandbyDoesNotClaimBeforeW) {
    const auto w = LeaseTimes{}.candidate_wait();
    EXPECT_FALSE(does<ClaimRecord>(AView{}.after(w - 1ms).asked().plan()));
    EXPECT_TRUE(does<ClaimRecord>(AView{}.after(w).asked().plan()));
}

TEST(Decide, EachNewVersionRestartsTheWait) {
    auto view = AView{};
    view.after(4s);
    view.with_record(a_record(), 51);
    view.after(4s).asked();
    EXPECT_FALSE(does<ClaimRecord>(view.plan()));
}

TEST(Decide, StandbyOutsideTheClaimersNeverClaims) {
    auto record = a_record();
    record.claimers = {"b", "c"};
    EXPECT_FALSE(does<ClaimRecord>(AView{}.with_record(record).after(60s).asked().plan()));
}

TEST(Decide, MemberThatSaysItHoldsForbidsTheClaim) {
    EXPECT_FALSE(does<ClaimRecord>(
        AView{}.after(6s).asked({Standing{.name = "pgvm2", .holds = true}}).plan()));
}

TEST(Decide, DownStandbyStartsOnceTheNewPrimaryShowsItsTimelineAndNotBefore) {
    auto record = a_record(RecordState::claimed);
    record.epoch = 5;
    for (const auto timeline : {0U, 4U}) {
        record.timeline = timeline;
        AView view;
        view.v.local.postmaster = view.v.local.accepting = false;
        view.v.local.role = Role::none;
        view.v.local.tree_dead = true;
        view.v.local.following.reset();
        view.with_record(record);
        view.v.memory.checked_epoch = 5;
        EXPECT_EQ(does<StartStandby>(view.plan()), timeline != 0) << view.plan().why;
    }
}

TEST(Decide, TermThatEndsInTheMidstOfASwitchoverEndsThatToo) {
    AView view;
    view.v.order = SwitchoverOrder{.candidate = "c", .candidate_name = "pgvm3", .asked = start};
    view.v.memory.switching = true;
    const auto plan = view.plan();
    EXPECT_TRUE(does<EndSwitchover>(plan));
    ASSERT_TRUE(plan.memory);
    EXPECT_FALSE(plan.memory->switching);
}

TEST(Decide, RefusalOfAMemberIsNoSuspicionOfTheStore) {
    const auto plan = AView{}.after(6s).asked({Standing{.name = "pgvm2", .holds = true}}).plan();
    ASSERT_TRUE(plan.memory);
    EXPECT_EQ(plan.memory->refusal, "pgvm2 says that it holds the record");
    EXPECT_TRUE(plan.memory->suspect_until.never());
    EXPECT_FALSE(plan.memory->refused_until.never());
}

TEST(Decide, StoredEpochAboveTheRecordsForbidsTheClaim) {
    EXPECT_FALSE(does<ClaimRecord>(
        AView{}.after(6s).asked({Standing{.name = "pgvm3", .stored_epoch = 5}}).plan()));
}

TEST(Decide, StoredEpochAboveTheRecordsIsSuspectedOnceForTwiceTheWait) {
    AView view;
    const Standing later{.name = "pgvm3", .stored_epoch = 5};
    auto plan = view.after(6s).asked({later}).plan();
    ASSERT_TRUE(plan.memory);
    view.v.memory = *plan.memory;
    EXPECT_FALSE(does<ClaimRecord>(view.after(9s).asked({later}).plan())) << "2W are not over";
    EXPECT_TRUE(does<ClaimRecord>(view.after(3s).asked({later}).plan())) << view.plan().why;
}

TEST(Decide, RecordThatWentBackMakesTheStoreSuspect) {
    AView view;
    auto later = a_record(RecordState::primary);
    later.epoch = 5;
    view.v.last_record = later;
    view.with_record(a_record(RecordState::released), 40);
    EXPECT_FALSE(view.v.memory.suspect_until.never());
    EXPECT_FALSE(does<ClaimRecord>(view.after(6s).asked().plan()));
    EXPECT_TRUE(does<ClaimRecord>(view.after(7s).asked().plan())) << view.plan().why;
}

TEST(Decide, SyncSetThatTheStoreLostForbidsEveryClaim) {
    AView view;
    auto later = a_record(RecordState::primary);
    later.sync_version = 3;
    later.sync = {.mode = SyncMode::on, .voters = {{.uuid = "c", .name = "pgvm3"}}, .copies = 1};
    view.v.last_record = later;
    view.with_record(a_record(RecordState::released), 40);
    EXPECT_FALSE(does<ClaimRecord>(view.after(60s).asked().plan()));
}

TEST(Decide, CandidateWithMoreWalGoesFirst) {
    const Standing ahead{
        .name = "pgvm3", .may_lead = true, .timeline = 3, .received = pg::Lsn(2000)};
    EXPECT_FALSE(does<ClaimRecord>(AView{}.after(6s).asked({ahead}).plan()));
}

TEST(Decide, LargerLsnOnAnOlderTimelineIsNotMoreWal) {
    const Standing astray{
        .name = "pgvm3", .may_lead = true, .timeline = 2, .received = pg::Lsn(9000)};
    EXPECT_TRUE(does<ClaimRecord>(AView{}.after(6s).asked({astray}).plan()));
}

TEST(Decide, ReleasedRecordIsClaimedAtOnceByWhoHasAllItsWal) {
    auto record = a_record(RecordState::released);
    record.lsn = pg::Lsn(1000);
    EXPECT_TRUE(does<ClaimRecord>(AView{}.with_record(record).asked().plan()));
    record.lsn = pg::Lsn(1001);
    EXPECT_FALSE(does<ClaimRecord>(AView{}.with_record(record).asked().plan()));
}

TEST(Decide, HandoverIsClaimedAtOnceByTheNamedMemberOnly) {
    auto record = a_record(RecordState::handover);
    record.handover_to = "a";
    EXPECT_TRUE(does<ClaimRecord>(AView{}.with_record(record).plan()));
    record.handover_to = "c";
    EXPECT_FALSE(does<ClaimRecord>(AView{}.with_record(record).asked().plan()));
}

TEST(Decide, ClaimedStandbyPromotesOnlyWithRoom) {
    EXPECT_TRUE(does<Promote>(AView{}.as_holder(RecordState::claimed).plan()));
    EXPECT_FALSE(does<Promote>(AView{}.as_holder(RecordState::claimed, 800ms).plan()));
}

TEST(Decide, DeadPrimaryIsReportedOnlyWhenItsTreeIsProvenDead) {
    auto view = AView{}.as_holder().as_primary().down();
    EXPECT_TRUE(does<Release>(view.plan()));
    view.v.local.tree_dead = false;
    EXPECT_FALSE(does<Release>(view.plan()));
}

TEST(Decide, NothingStartsInPlaceBehindEndpointsThatMayBeOpen) {
    auto view = AView{}.as_holder(RecordState::claimed).as_primary().down();
    view.v.tenure->record.promoted.uuid = "a";
    EXPECT_TRUE(does<StartPrimary>(view.plan()));
    view.v.tenure->may_be_primary = true;
    EXPECT_FALSE(does<StartPrimary>(view.plan()));
    EXPECT_TRUE(does<Release>(view.plan()));
}

TEST(Decide, UnknownEndOfWalIsReleasedPastEverything) {
    auto view = AView{}.as_holder().as_primary().down();
    EXPECT_EQ(std::get<Release>(view.plan().actions.at(0)).lsn, pg::Lsn(~std::uint64_t{0}));
    view.v.local.final_lsn = pg::Lsn(1234);
    EXPECT_EQ(std::get<Release>(view.plan().actions.at(0)).lsn, pg::Lsn(1234));
}

TEST(Decide, LastPrimaryRecoversInPlaceWhenNobodyClaimed) {
    auto record = a_record(RecordState::released);
    record.holder = record.promoted.uuid = "a";
    auto view = AView{}.as_primary().down().with_record(record);
    EXPECT_FALSE(does<ClaimRecord>(view.plan()));
    EXPECT_TRUE(does<ClaimRecord>(view.after(300ms).plan()));
}

TEST(Decide, OtherSystemIdentifierHaltsAndTouchesNothing) {
    auto view = AView{};
    view.v.cluster->initialize = "78";
    const auto plan = view.plan();
    EXPECT_TRUE(does<Halt>(plan));
    EXPECT_EQ(plan.actions.size(), 1U);
}

TEST(Decide, OtherSystemIdentifierHaltsThoughAStoreThatLostItsDataHasNoInitializeKey) {
    AView view;
    view.v.cluster->initialize.reset();
    view.v.local.system_id = "78";
    view.v.local.needs_rewind = true;
    const auto plan = decide(view.v);
    EXPECT_TRUE(does<Halt>(plan));
    EXPECT_EQ(plan.actions.size(), 1U);
}

TEST(Decide, NothingIsTouchedBeforeTheStoreAnswered) {
    auto view = AView{}.down();
    view.v.cluster.reset();
    EXPECT_TRUE(view.plan().actions.empty());
}

TEST(Decide, DivergedStandbyStopsThenRewinds) {
    auto view = AView{};
    view.v.local.needs_rewind = true;
    EXPECT_TRUE(does<Stop>(view.plan()));
    EXPECT_TRUE(does<Rewind>(view.down().plan()));
}

TEST(Decide, RestartedAgentTakesItsPrimaryOverInsideTheArmedDeadline) {
    auto record = a_record();
    record.holder = "a";
    auto view = AView{}.as_primary().with_record(record);
    view.v.self.armed_until = view.v.now + 2s;
    EXPECT_TRUE(does<TakeOver>(view.plan()));
    EXPECT_TRUE(does<Fence>(view.after(2s).plan()));
}

/// An odometer over what decisions branch on.
template <class Check>
void for_each_view(Check check) {
    for (const auto role : {Role::none, Role::primary, Role::standby}) {
        for (const auto state : {RecordState::claimed, RecordState::primary, RecordState::handover,
                                 RecordState::released}) {
            for (const auto left : {-1s, 0s, 1s, 4s}) {
                for (int bits = 0; bits < 256; ++bits) {
                    AView view;
                    if ((bits & 1) != 0) {
                        view.as_holder(state, left);
                    } else {
                        auto record = a_record(state);
                        record.handover_to = "a";
                        view.with_record(record);
                    }
                    view.v.local.role = role;
                    view.v.local.postmaster = (bits & 2) != 0;
                    view.v.local.accepting = (bits & 2) != 0 && (bits & 4) != 0;
                    view.v.local.tree_dead = (bits & 2) == 0 && (bits & 8) != 0;
                    view.v.local.needs_rewind = (bits & 16) != 0;
                    view.v.local.job.running = (bits & 32) != 0;
                    view.v.claim_unresolved = (bits & 64) != 0;
                    if ((bits & 128) != 0) {
                        view.after(6s).asked();
                    }
                    check(view.v);
                }
            }
        }
    }
}

TEST(DecideExhaustive, NeverBecomesWritableWithoutTermAndRoom) {
    for_each_view([](const View& v) {
        const auto plan = decide(v);
        if (does<Promote>(plan) || does<StartPrimary>(plan)) {
            ASSERT_TRUE(v.tenure);
            ASSERT_LT(v.now + v.settings.lease.fence_budget + v.settings.lease.promote_budget,
                      v.tenure->deadline);
        }
    });
}

TEST(DecideExhaustive, NeverGivesUpTheRecordWhileAProcessMayLive) {
    for_each_view([](const View& v) {
        const auto plan = decide(v);
        if (does<Release>(plan) || does<HandOver>(plan)) {
            ASSERT_TRUE(v.local.tree_dead && !v.local.postmaster);
        }
    });
}

TEST(DecideExhaustive, PrimaryThatMayNotStayWritableIsAlwaysFenced) {
    for_each_view([](const View& v) {
        const auto lives = v.local.postmaster || !v.local.tree_dead;
        if (v.local.role == Role::primary && lives && !may_stay_writable(v)) {
            ASSERT_TRUE(does<Fence>(decide(v)));
        }
    });
}

TEST(DecideExhaustive, NeverClaimsWhileItHoldsOrAClaimIsUnresolved) {
    for_each_view([](const View& v) {
        if (v.tenure || v.claim_unresolved) {
            ASSERT_FALSE(does<ClaimRecord>(decide(v)));
        }
    });
}

}  // namespace
}  // namespace howdah::ha
