#include "ha/decide.h"

#include <gtest/gtest.h>

#include "ha/rules.h"
#include "ha/view_for_test.h"

namespace howdah::ha {
namespace {

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

Plan claim_when_alone(AView view) {
    return view.after(LeaseTimes{}.candidate_wait()).asked().plan();
}

TEST(Decide, OneWithLessThanTheLastPrimaryLeadsOnlyAfterTheWait) {
    auto view = AView{};
    view.v.local.timeline = 2;
    const auto plan = claim_when_alone(view);
    EXPECT_TRUE(does<ClaimRecord>(plan)) << plan.why;
    EXPECT_NE(plan.why.find("may be lost"), std::string::npos) << plan.why;

    auto released = a_record(RecordState::released);
    released.lsn = pg::Lsn(900);
    auto at_once = AView{}.with_record(released).asked();
    EXPECT_TRUE(does<ClaimRecord>(at_once.plan()));
    at_once.v.local.timeline = 2;
    EXPECT_FALSE(does<ClaimRecord>(at_once.plan())) << "LSNs of two timelines don't compare";
}

TEST(Decide, WithASyncSetOfNobodyOnlyTheLastPrimaryLeadsUnlessAnOperatorAcceptsTheLoss) {
    auto record = a_record();
    record.sync = {.mode = SyncMode::on};
    auto view = AView{}.with_record(record);
    EXPECT_FALSE(does<ClaimRecord>(claim_when_alone(view)));
    EXPECT_NE(ineligibilities(view.v).back().find("--accept-loss"), std::string::npos);
    view.v.loss_accepted = LossAccepted{.epoch = 4, .asked = start};
    EXPECT_TRUE(does<ClaimRecord>(claim_when_alone(view)));
    view.v.loss_accepted->epoch = 3;
    EXPECT_FALSE(does<ClaimRecord>(claim_when_alone(view))) << "said of another record";
    view.v.loss_accepted = LossAccepted{.epoch = 4, .asked = start - 120s};
    EXPECT_FALSE(does<ClaimRecord>(claim_when_alone(view))) << "said long ago";
}

TEST(Decide, AcceptingALossDoesNotShortenTheWait) {
    auto view = AView{};
    view.v.loss_accepted = LossAccepted{.epoch = 4, .asked = start};
    EXPECT_FALSE(does<ClaimRecord>(view.after(LeaseTimes{}.candidate_wait() - 1ms).asked().plan()));
}

TEST(Decide, AMemberPromotedByHandIsNoCandidateHoweverHighItsTimeline) {
    auto view = AView{};
    view.v.local.timeline = 4;
    EXPECT_FALSE(does<ClaimRecord>(claim_when_alone(view)));
    EXPECT_NE(ineligibilities(view.v).front().find("by hand"), std::string::npos);
    // Of an epoch that showed its timeline and was lost before it was primary.
    auto record = a_record();
    record.last_start = {.epoch = 4, .timeline = 4};
    EXPECT_TRUE(does<ClaimRecord>(claim_when_alone(view.with_record(record))));
    // Or its own promotion, which was cut off before anybody was told: all of it is the cluster's.
    auto unseen = AView{};
    unseen.v.local.timeline = 4;
    unseen.v.self.history_opened = true;
    EXPECT_TRUE(does<ClaimRecord>(claim_when_alone(unseen)));
    // Nor is it waited for.
    const Standing by_hand{.uuid = "c",
                           .name = "pgvm3",
                           .stored_epoch = 4,
                           .may_lead = false,
                           .timeline = 9,
                           .received = pg::Lsn(9000)};
    auto faithful = AView{}.after(LeaseTimes{}.candidate_wait()).asked({by_hand});
    EXPECT_TRUE(does<ClaimRecord>(faithful.plan())) << faithful.plan().why;
}

TEST(Decide, ALaterSetThatAMemberKeptOnDiskForbidsTheClaim) {
    auto view = AView{}.after(LeaseTimes{}.candidate_wait());
    const Standing knows{
        .uuid = "c", .name = "pgvm3", .stored_epoch = 4, .seen_epoch = 4, .seen_sync_version = 1};
    EXPECT_FALSE(does<ClaimRecord>(view.asked({knows}).plan()));
    auto same = knows;
    same.seen_sync_version = 0;
    EXPECT_TRUE(does<ClaimRecord>(view.asked({same}).plan()));
}

TEST(Decide, AClaimThatLedNowhereIsNotMadeAgainAtOnce) {
    auto view = AView{};
    view.v.memory.decided.gave_up_epoch = 4;
    view.v.memory.decided.gave_up_until = start + 60s;
    EXPECT_FALSE(does<ClaimRecord>(claim_when_alone(view)));
    view.v.memory.decided.gave_up_epoch = 3;
    EXPECT_TRUE(does<ClaimRecord>(claim_when_alone(view))) << "another epoch has been since";
}

TEST(Decide, AHandoverThatNobodyCanTakeEndsLikeASilence) {
    auto record = a_record(RecordState::handover);
    record.handover_to = "a";
    record.lsn = pg::Lsn(2000);
    auto view = AView{}.with_record(record);
    EXPECT_FALSE(does<ClaimRecord>(view.asked().plan()));
    EXPECT_TRUE(does<ClaimRecord>(claim_when_alone(view)));
}

TEST(Decide, ARecordOfANewerFormatStopsTheAgent) {
    auto view = AView{};
    auto& seen = view.v.cluster->record;
    seen.value.replace(seen.value.find("\"format\":1"), 10, "\"format\":2");
    seen.record.reset();
    EXPECT_TRUE(does<Halt>(view.plan())) << view.plan().why;
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

TEST(Decide, AmongEqualsTheGreaterPriorityGoesFirstForAWhile) {
    const auto standing = [](int priority, std::uint64_t lsn) {
        return Standing{.uuid = "b",
                        .name = "pgvm2",
                        .failover_priority = priority,
                        .timeline = 3,
                        .received = pg::Lsn(lsn)};
    };
    auto view = AView{};
    const auto here = view.v.local.lsn.bytes();
    view.v.local.timeline = 3;
    const auto plan = [&](const Standing& other, Nanos since = Nanos{}) {
        auto a = view;
        a.after(LeaseTimes{}.candidate_wait()).asked({other});
        if (since > Nanos{}) {
            a.v.memory.noticed.gave_way_since = a.v.now - since;
        }
        return a.plan();
    };
    EXPECT_TRUE(does<ClaimRecord>(plan(standing(1, here)))) << plan(standing(1, here)).why;
    EXPECT_FALSE(does<ClaimRecord>(plan(standing(2, here))));
    EXPECT_EQ(plan(standing(2, here)).why, "pgvm2 has a greater failover_priority: it goes first");
    EXPECT_TRUE(does<ClaimRecord>(plan(standing(2, here), 60s))) << "it does not come";
    EXPECT_TRUE(does<ClaimRecord>(plan(standing(2, here - 8)))) << "WAL counts more";
    EXPECT_FALSE(does<ClaimRecord>(plan(standing(0, here + 8))));
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
        view.v.memory.decided.checked_epoch = 5;
        EXPECT_EQ(does<StartStandby>(view.plan()), timeline != 0) << view.plan().why;
    }
}

TEST(Decide, TermThatEndsInTheMidstOfASwitchoverEndsThatToo) {
    AView view;
    view.v.order = SwitchoverOrder{.candidate = "c", .candidate_name = "pgvm3", .asked = start};
    view.v.memory.decided.switching = true;
    const auto plan = view.plan();
    EXPECT_TRUE(does<EndSwitchover>(plan));
    ASSERT_TRUE(plan.memory);
    EXPECT_FALSE(plan.memory->decided.switching);
}

TEST(Decide, FailedStepLeavesWhatWasNoticedAndForgetsWhatWasDecided) {
    const auto plan = AView{}.as_primary().plan();
    Memory before;
    before.decided.checked_epoch = a_record().epoch;
    EXPECT_EQ(remembered_after(plan, true, before), *plan.memory);
    const auto failed = remembered_after(plan, false, before);
    EXPECT_EQ(failed.decided.checked_epoch, a_record().epoch);
    EXPECT_EQ(failed.noticed.fence_asked, start);
    EXPECT_EQ(failed.noticed.record_revision, 50);
}

TEST(Decide, RefusalOfAMemberIsNoSuspicionOfTheStore) {
    const auto plan = AView{}.after(6s).asked({Standing{.name = "pgvm2", .holds = true}}).plan();
    ASSERT_TRUE(plan.memory);
    EXPECT_EQ(plan.memory->noticed.refusal, "pgvm2 says that it holds the record");
    EXPECT_TRUE(plan.memory->noticed.suspect_until.never());
    EXPECT_FALSE(plan.memory->noticed.refused_until.never());
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
    EXPECT_FALSE(view.v.memory.noticed.suspect_until.never());
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
    view.v.last_record->sync.voters.clear();
    EXPECT_FALSE(does<ClaimRecord>(view.plan())) << "only the primary of that term has everything";
}

TEST(Decide, HolderThatCannotAskItsServerEndsItAndGivesUp) {
    auto view = AView{}.as_holder(RecordState::claimed).as_primary();
    view.v.local.accepting = false;
    view.v.local.no_answer = "password authentication failed";
    view.v.memory.noticed.claimed_epoch = 4;
    view.v.memory.noticed.claimed_at = view.v.now;
    EXPECT_FALSE(does<Fence>(view.after(19s).as_holder(RecordState::claimed).plan()));
    const auto plan = view.after(2s).as_holder(RecordState::claimed).plan();
    ASSERT_TRUE(does<Fence>(plan)) << plan.why;
    EXPECT_NE(plan.why.find("password"), std::string::npos);
    view.v.memory = *plan.memory;
    const auto next = view.down().plan();
    EXPECT_TRUE(does<Release>(next) && !does<StartPrimary>(next)) << next.why;
}

TEST(Decide, OlderCopyOfTheDataDirectoryIsNoCandidate) {
    auto view = AView{};
    view.v.self.held = {.system_id = view.v.local.system_id,
                        .timeline = view.v.local.timeline,
                        .lsn = pg::Lsn(view.v.local.lsn.bytes() + 1)};
    EXPECT_FALSE(does<ClaimRecord>(view.after(60s).asked().plan()));
    view.v.self.held.lsn = view.v.local.lsn;
    EXPECT_TRUE(does<ClaimRecord>(view.plan())) << view.plan().why;
    view.v.self.held = {.system_id = "another cluster's", .timeline = 99, .lsn = pg::Lsn(1)};
    EXPECT_TRUE(does<ClaimRecord>(view.plan())) << view.plan().why;
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
    const auto reserved = [](AView view) {
        view.v.tenure->record.reserved = {.epoch = view.v.tenure->epoch, .timeline = 9};
        return view.plan();
    };
    EXPECT_TRUE(does<Promote>(reserved(AView{}.as_holder(RecordState::claimed))));
    EXPECT_FALSE(does<Promote>(reserved(AView{}.as_holder(RecordState::claimed, 800ms))));
}

TEST(Decide, DeadPrimaryIsReportedOnlyWhenItsTreeIsProvenDead) {
    auto view = AView{}.as_holder().as_primary().down();
    EXPECT_TRUE(does<Release>(view.plan()));
    view.v.local.tree_dead = false;
    EXPECT_FALSE(does<Release>(view.plan()));
}

TEST(Decide, NothingStartsBeforeTheOwnReleaseIsSeen) {
    auto view = AView{}.as_holder().as_primary().down();
    view.v.memory = *view.plan().memory;
    view.v.tenure.reset();
    EXPECT_FALSE(does<StartStandby>(view.plan())) << view.plan().why;
    EXPECT_TRUE(does<StartStandby>(view.after(10s).plan())) << "the store is silent";
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
    EXPECT_TRUE(does<AskPeers>(view.after(300ms).plan())) << "the store may have gone back";
    const Standing further{.uuid = "c", .name = "pgvm3", .seen_epoch = 9};
    EXPECT_FALSE(does<ClaimRecord>(view.asked({further}).plan()));
    EXPECT_TRUE(does<ClaimRecord>(view.asked().plan())) << view.plan().why;
}

TEST(Decide, OtherSystemIdentifierHaltsAndTouchesNothing) {
    auto view = AView{};
    view.v.cluster->initialize = "78";
    EXPECT_FALSE(does<Halt>(view.plan())) << "the record knows better than a key that a hand wrote";
    view.v.cluster->record = {};
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

TEST(Decide, APrimaryThatNoFencerWillEndIsFencedWhateverThePageShows) {
    auto record = a_record();
    record.holder = "a";
    auto view = AView{}.as_primary().with_record(record);
    view.v.self.armed_until = view.v.now + 2s;
    view.v.local.unfenced = true;
    EXPECT_TRUE(does<Fence>(view.plan()));
}

TEST(Decide, AfterAPrimaryWithoutATermWasFencedItsHistoryIsUnknown) {
    auto view = AView{}.as_primary();
    view.v.memory.decided.checked_epoch = a_record().epoch;
    const auto plan = view.plan();
    EXPECT_TRUE(does<Fence>(plan));
    EXPECT_EQ(plan.memory->decided.checked_epoch, 0U);
    view.v.memory = *plan.memory;
    EXPECT_TRUE(does<CheckDivergence>(view.down().plan()));
}

TEST(Rules, EndOfASwitchoverIsNoDeathToReport) {
    auto view = AView{}.as_holder().as_primary().down();
    EXPECT_TRUE(rule::report_death(view.v));
    EXPECT_FALSE(rule::hand_over(view.v));
    view.v.order = SwitchoverOrder{.candidate = "c", .candidate_name = "pgvm3", .asked = start};
    view.v.memory.decided.switching = true;
    EXPECT_FALSE(rule::report_death(view.v));
    EXPECT_TRUE(rule::hand_over(view.v));
}

TEST(Rules, WhatCanStartInPlaceIsNotGivenBack) {
    auto view = AView{}.as_holder(RecordState::claimed).as_primary().down();
    EXPECT_TRUE(rule::start_in_place(view.v));
    EXPECT_FALSE(rule::give_back(view.v));
    view.v.local.job = {.kind = JobKind::start, .since = start, .failures = 1};
    EXPECT_FALSE(rule::start_in_place(view.v)) << "a moment after one that failed";
    EXPECT_FALSE(rule::give_back(view.v));
    view.v.local.job.failures = 3;
    EXPECT_FALSE(rule::start_in_place(view.after(1s).v));
    EXPECT_TRUE(rule::give_back(view.v));
}

}  // namespace
}  // namespace howdah::ha
