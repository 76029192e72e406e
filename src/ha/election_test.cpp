#include <gtest/gtest.h>

#include <algorithm>

#include "ha/decide.h"

// Claim, seal, choose, promote, barrier: section 5 of the safety model, as rules.

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

template <class A>
const A* action(const Plan& plan) {
    const auto found = std::find_if(plan.actions.begin(), plan.actions.end(),
                                    [](const Action& a) { return std::holds_alternative<A>(a); });
    return found == plan.actions.end() ? nullptr : &std::get<A>(*found);
}

const Uuid self = "a", other = "b", third = "c";

/// pgvm1 has claimed epoch 5 after pgvm0, whose sync set was any 1 of (pgvm1, pgvm2, pgvm3).
struct Election {
    View v{};

    Election() {
        v.now = Instant{1000s};
        v.self = {.uuid = self, .name = "pgvm1", .stored_epoch = 5, .history_epoch = 4};
        v.settings.sync_mode = SyncMode::quorum;
        v.local = {.data_dir = DataDir::initialized,
                   .system_id = "77",
                   .postmaster = true,
                   .accepting = true,
                   .role = Role::standby,
                   .tree_dead = false,
                   .timeline = 3,
                   .lsn = pg::Lsn(1000)};
        Record record{.epoch = 5,
                      .holder = self,
                      .holder_name = "pgvm1",
                      .incarnation = "ia",
                      .ttl = 5s,
                      .state = RecordState::claimed,
                      .claimers = {self, other, third, "z"},
                      .sync_version = 7,
                      .sync = {.mode = SyncMode::quorum,
                               .voters = {{self, "pgvm1"}, {other, "pgvm2"}, {third, "pgvm3"}},
                               .copies = 2},
                      .promoted = {.uuid = "z", .epoch = 4, .timeline = 3},
                      .system_id = "77"};
        holding(record);
    }

    Election& holding(const Record& record) {
        v.cluster = Cluster{.record = {.revision = 50,
                                       .value = render(record),
                                       .leader_revision = 50,
                                       .leader = "pgvm1",
                                       .record = record},
                            .initialize = "77",
                            .config_json = "{}"};
        v.cluster->members = {
            Member{
                .name = "pgvm2", .conn_url = "postgres://127.0.52.82:5432/postgres", .uuid = other},
            Member{.name = "pgvm3",
                   .conn_url = "postgres://127.0.52.83:5432/postgres",
                   .uuid = third}};
        v.tenure = Tenure{.epoch = 5, .deadline = v.now + 4s, .record = record};
        return *this;
    }
    Record record() const { return v.tenure->record; }
    static Vote vote(const Uuid& uuid, std::uint64_t lsn, Epoch history = 4) {
        return {.uuid = uuid,
                .name = uuid,
                .sealed = true,
                .stored_epoch = 5,
                .sync_version = 7,
                .may_lead = true,
                .history_epoch = history,
                .timeline = 3,
                .flushed = pg::Lsn(lsn)};
    }
    Election& voted(std::vector<Vote> votes) {
        v.votes = {.epoch = 5,
                   .rounds = 1,
                   .first_asked = v.now,
                   .asked = v.now,
                   .complete = true,
                   .votes = std::move(votes)};
        v.now = v.now + 1s;
        return *this;
    }
    Election& prepared() {
        v.memory.decided.names_set_for = 5;
        auto record = v.tenure->record;
        record.reserved = {.epoch = 5, .timeline = 4};
        return holding(record);
    }
    Plan plan() const { return decide(v); }
};

TEST(Election, AsksEveryVoterBeforeItPromotes) {
    const auto plan = Election{}.plan();
    ASSERT_NE(action<Seal>(plan), nullptr);
    EXPECT_EQ(action<Seal>(plan)->voters.size(), 3U);
    EXPECT_EQ(action<Promote>(plan), nullptr);
}

TEST(Election, DoesNotPromoteWithoutEnoughVotes) {
    const auto plan = Election{}.prepared().voted({Election::vote(self, 1000)}).plan();
    EXPECT_EQ(action<Promote>(plan), nullptr);
    EXPECT_NE(action<Seal>(plan), nullptr) << "it goes on asking";
}

TEST(Election, PromotesWithEnoughVotesAndTheMostHistory) {
    const auto plan = Election{}
                          .prepared()
                          .voted({Election::vote(self, 1000), Election::vote(other, 900)})
                          .plan();
    EXPECT_NE(action<Promote>(plan), nullptr) << plan.why;
}

TEST(Election, CountsOnlyVotersOfThePublishedSet) {
    const auto plan = Election{}
                          .prepared()
                          .voted({Election::vote(self, 1000), Election::vote("stranger", 900)})
                          .plan();
    EXPECT_EQ(action<Promote>(plan), nullptr);
}

TEST(Election, AMemberOfTheSameNameWithAnotherUuidIsNoVoter) {
    auto impostor = Election::vote("made-anew", 900);
    impostor.name = "pgvm2";
    EXPECT_EQ(
        action<Promote>(Election{}.prepared().voted({Election::vote(self, 1000), impostor}).plan()),
        nullptr);
}

TEST(Election, HandsOverToAVoterThatHoldsMore) {
    const auto plan =
        Election{}.voted({Election::vote(self, 1000), Election::vote(other, 1001)}).plan();
    ASSERT_NE(action<HandOver>(plan), nullptr) << plan.why;
    EXPECT_EQ(action<HandOver>(plan)->to, other);
}

TEST(Election, PrefersALaterEpochToALongerWal) {
    const auto plan = Election{}
                          .prepared()
                          .voted({Election::vote(self, 1000), Election::vote(other, 9000, 3)})
                          .plan();
    EXPECT_NE(action<Promote>(plan), nullptr) << plan.why;
    const auto worse =
        Election{}.voted({Election::vote(self, 9000, 3), Election::vote(other, 1000)}).plan();
    EXPECT_NE(action<HandOver>(worse), nullptr) << worse.why;
}

TEST(Election, GivesAClaimUpThatAVoterHasOutlived) {
    auto later = Election::vote(other, 900);
    later.sealed = false;
    later.stored_epoch = 6;
    EXPECT_NE(action<Release>(Election{}.voted({Election::vote(self, 1000), later}).plan()),
              nullptr);
    auto taken = Election::vote(other, 900);
    taken.sealed = false;
    taken.stored_incarnation = "ib";
    EXPECT_NE(action<Release>(Election{}.voted({Election::vote(self, 1000), taken}).plan()),
              nullptr)
        << "sealed for another claimer of the same epoch";
    taken.stored_incarnation = "ia";
    EXPECT_EQ(action<Release>(Election{}.voted({Election::vote(self, 1000), taken}).plan()),
              nullptr)
        << "busy now, may be sealed later";
    auto newer_set = Election::vote(other, 900);
    newer_set.sync_version = 8;
    EXPECT_NE(action<Release>(Election{}.voted({Election::vote(self, 1000), newer_set}).plan()),
              nullptr);
}

TEST(Election, PreparesTheStandbyNamesBeforeItPromotes) {
    const auto plan =
        Election{}.voted({Election::vote(self, 1000), Election::vote(other, 900)}).plan();
    ASSERT_NE(action<SetStandbyNames>(plan), nullptr) << plan.why;
    EXPECT_EQ(action<SetStandbyNames>(plan)->text, "ANY 1 (pgvm2,pgvm3)");
}

Election last_primary_down(bool strict) {
    Election e;
    auto record = e.record();
    record.promoted.uuid = self;
    record.sync.voters = {{other, "pgvm2"}};
    record.sync.copies = 1;
    record.sync.strict = strict;
    e.holding(record);
    e.v.local.postmaster = e.v.local.accepting = false;
    e.v.local.tree_dead = true;
    e.v.local.final_lsn = pg::Lsn(1000);
    return e;
}

TEST(Election, TheLastPrimaryRecoversInPlaceWithoutVotesOutsideStrictMode) {
    EXPECT_NE(action<StartPrimary>(last_primary_down(false).plan()), nullptr);
}

TEST(Election, TheLastPrimaryNeedsVotesInStrictMode) {
    const auto plan = last_primary_down(true).plan();
    EXPECT_EQ(action<StartPrimary>(plan), nullptr);
    EXPECT_NE(action<Seal>(plan), nullptr);
}

TEST(Election, TheLastPrimaryNeedsVotesWhenItsDataWasReplaced) {
    auto e = last_primary_down(false);
    e.v.self.history_epoch = 3;
    EXPECT_EQ(action<StartPrimary>(e.plan()), nullptr);
}

/// The claimer has promoted; pgvm2 and pgvm3 have yet to follow.
Election promoted() {
    Election e;
    e.v.local.role = Role::primary;
    e.v.local.timeline = 4;
    e.v.local.lsn = pg::Lsn(1100);
    e.v.local.sync_standby_names = "ANY 1 (pgvm2,pgvm3)";
    e.v.confirmed_names = e.v.local.sync_standby_names;
    return e;
}

/// One whose agent confirmed it.
Walsender streams(const std::string& name, std::uint64_t flush) {
    return {.application_name = name,
            .state = "streaming",
            .sync_state = "quorum",
            .sync_priority = 1,
            .flush = pg::Lsn(flush),
            .member = name == "pgvm2" ? other : third};
}

TEST(SyncBarrier, TheTimelineIsToldBeforeEndpointsOpen) {
    const auto plan = promoted().plan();
    EXPECT_NE(action<ShowTimeline>(plan), nullptr) << plan.rule;
    EXPECT_EQ(action<MarkPrimary>(plan), nullptr);
}

TEST(SyncBarrier, EndpointsStayClosedUntilEnoughStandbysHoldTheFirstWal) {
    auto e = promoted();
    auto record = e.record();
    record.timeline = 4;
    e.holding(record);
    e.v.local.walsenders = {streams("pgvm2", 1099)};
    auto plan = e.plan();
    EXPECT_EQ(action<MarkPrimary>(plan), nullptr) << plan.why;
    e.v.memory = *plan.memory;
    e.v.local.walsenders = {streams("pgvm2", 1100)};
    plan = e.plan();
    EXPECT_NE(action<MarkPrimary>(plan), nullptr) << plan.rule << ": " << plan.why;
}

TEST(SyncSet, StaysAsItIsForAMomentAfterPromotionAndThenShrinks) {
    auto e = promoted();
    auto record = e.record();
    record.timeline = 4;
    e.holding(record);
    auto plan = e.plan();
    EXPECT_EQ(action<PublishSync>(plan), nullptr);
    e.v.memory = *plan.memory;
    e.v.now = e.v.now + 2s;
    plan = e.plan();
    EXPECT_NE(action<PublishSync>(plan), nullptr) << plan.rule << ": " << plan.why;
}

TEST(SyncSet, IsLeftAloneWhileAnEarlierChangeMayHaveCommitted) {
    auto e = promoted();
    auto record = e.record();
    record.timeline = 4;
    e.holding(record);
    e.v.memory = *e.plan().memory;
    e.v.now = e.v.now + 2s;
    e.v.tenure->change_unresolved = true;
    const auto plan = e.plan();
    EXPECT_EQ(action<PublishSync>(plan), nullptr);
    EXPECT_EQ(action<SetStandbyNames>(plan), nullptr);
}

/// A primary in strict mode whose one walsender calls itself pgvm2.
Election with_a_stranger() {
    auto e = promoted();
    e.v.settings.sync_strict = true;
    auto record = e.record();
    record.timeline = 4;
    record.state = RecordState::primary;
    record.sync.strict = true;
    e.holding(record);
    e.v.local.walsenders = {streams("pgvm2", 1100)};
    e.v.local.walsenders[0].member.clear();
    e.v.local.walsenders[0].pid = 4711;
    e.v.local.walsenders[0].since = e.v.now;
    e.v.memory = *e.plan().memory;
    e.v.now = e.v.now + 2s;
    return e;
}

TEST(SyncSet, StrictStopsAcknowledgingOnceNobodyConfirmedIsLeft) {
    const auto plan = with_a_stranger().plan();
    const auto* set = action<SetStandbyNames>(plan);
    ASSERT_NE(set, nullptr) << plan.rule << ": " << plan.why;
    EXPECT_TRUE(parse_standby_names(set->text.value())->blocked) << *set->text;
    EXPECT_EQ(action<PublishSync>(plan), nullptr) << "the voters hold what was acknowledged";
}

TEST(SyncSet, WhoeverOnlyCallsItselfLikeAMemberIsEnded) {
    auto e = with_a_stranger();
    EXPECT_EQ(action<EndWalsender>(e.plan()), nullptr) << "its agent may not have seen it yet";
    e.v.now = e.v.now + 2s;
    e.v.tenure->deadline = e.v.now + 4s;
    const auto plan = e.plan();
    const auto* end = action<EndWalsender>(plan);
    ASSERT_NE(end, nullptr) << plan.rule << ": " << plan.why;
    EXPECT_EQ(end->pid, 4711);
    e.v.local.walsenders[0].member = other;
    EXPECT_EQ(action<EndWalsender>(e.plan()), nullptr);
}

TEST(SyncSet, StrictHoldsNothingBackOnceTheModeIsOff) {
    auto e = promoted();
    e.v.settings.sync_mode = SyncMode::off;
    e.v.settings.sync_strict = true;
    auto record = e.record();
    record.timeline = 4;
    e.holding(record);
    auto plan = e.plan();
    e.v.memory = *plan.memory;
    e.v.now = e.v.now + 2s;
    plan = e.plan();
    EXPECT_NE(action<PublishSync>(plan), nullptr) << plan.rule << ": " << plan.why;
}

TEST(SyncBarrier, StandbysThatCameAfterTheClaimAreAdmittedToPassIt) {
    auto e = promoted();
    e.v.settings.sync_strict = true;
    e.v.local.sync_standby_names = render(StandbyNames{.mode = SyncMode::quorum, .blocked = true});
    e.v.confirmed_names = e.v.local.sync_standby_names;
    auto record = e.record();
    record.timeline = 4;
    record.claimers = {self};
    record.sync = {.mode = SyncMode::quorum, .strict = true};
    e.holding(record);
    e.v.cluster->members[0].replication_state = "streaming";
    e.v.local.walsenders = {streams("pgvm2", 1100)};
    const auto plan = e.plan();
    const auto* set = action<SetClaimers>(plan);
    ASSERT_NE(set, nullptr) << plan.rule << ": " << plan.why;
    EXPECT_NE(std::find(set->claimers.begin(), set->claimers.end(), other), set->claimers.end());
}

TEST(SyncSet, StrictModeNeverStopsWaiting) {
    auto e = promoted();
    e.v.settings.sync_strict = true;
    auto record = e.record();
    record.timeline = 4;
    record.sync.strict = true;
    e.holding(record);
    auto plan = e.plan();
    e.v.memory = *plan.memory;
    e.v.now = e.v.now + 60s;
    e.v.tenure->deadline = e.v.now + 4s;
    plan = e.plan();
    EXPECT_EQ(action<PublishSync>(plan), nullptr);
    const auto* set = action<SetStandbyNames>(plan);
    ASSERT_NE(set, nullptr);
    EXPECT_TRUE(parse_standby_names(set->text.value())->blocked)
        << "nobody who is gone is waited for by name";
    EXPECT_EQ(action<MarkPrimary>(plan), nullptr);
}

TEST(SyncSet, WithoutVotersOnlyTheLastPrimaryMayClaim) {
    Election e;
    auto record = e.record();
    e.v.self.stored_epoch = 4;
    record.epoch = 4;
    record.holder = "z";
    record.holder_name = "pgvm0";
    record.state = RecordState::released;
    record.sync.voters.clear();
    record.sync.copies = 0;
    e.holding(record);
    e.v.tenure.reset();
    EXPECT_EQ(e.plan().rule, "stay_out");
    record.promoted.uuid = self;
    e.holding(record);
    e.v.tenure.reset();
    EXPECT_NE(e.plan().rule, "stay_out");
}

TEST(LostRecord, IsClaimedOnlyWhenEveryKnownMemberIsSealed) {
    Election e;
    e.v.last_record = e.record();
    e.v.tenure.reset();
    e.v.memory = *decide(e.v).memory;
    e.v.cluster->record = {};
    e.v.cluster_fresh = true;
    e.v.memory = *decide(e.v).memory;
    EXPECT_EQ(action<Seal>(e.plan()), nullptr) << "not before W";
    e.v.now = e.v.now + 6s;
    auto plan = e.plan();
    ASSERT_NE(action<Seal>(plan), nullptr) << plan.why;
    EXPECT_EQ(action<Seal>(plan)->voters.size(), 4U);
    const auto epoch = action<Seal>(plan)->epoch;
    const auto answers = [&](std::vector<Vote> votes) {
        e.v.votes = {.epoch = epoch, .asked = e.v.now, .complete = true, .votes = std::move(votes)};
        return e.plan();
    };
    const auto own = Election::vote(self, 1000);
    EXPECT_EQ(action<ClaimRecord>(answers({own, Election::vote(other, 900)})), nullptr);
    EXPECT_NE(action<ClaimRecord>(answers({own, Election::vote(other, 900),
                                           Election::vote(third, 900), Election::vote("z", 900)})),
              nullptr);
    EXPECT_EQ(action<ClaimRecord>(answers({own, Election::vote(other, 1001),
                                           Election::vote(third, 900), Election::vote("z", 900)})),
              nullptr);
}

TEST(LostRecord, AMemberIsGivenUpByTheNameItHadWhileItsKeyWasThere) {
    Election e;
    e.v.last_record = e.record();
    e.v.tenure.reset();
    e.v.memory = *decide(e.v).memory;
    e.v.cluster->record = {};
    e.v.cluster->members.clear();
    e.v.cluster_fresh = true;
    e.v.memory = *decide(e.v).memory;
    e.v.now = e.v.now + 6s;
    const auto asked = e.plan();
    ASSERT_NE(action<Seal>(asked), nullptr) << asked.why;
    e.v.votes = {.epoch = action<Seal>(asked)->epoch,
                 .asked = e.v.now,
                 .complete = true,
                 .votes = {Election::vote(self, 1000), Election::vote(other, 900),
                           Election::vote(third, 900)}};
    e.v.names = {{"z", "pgvm4"}};
    EXPECT_NE(e.plan().why.find("the seal of pgvm4"), std::string::npos) << e.plan().why;
    e.v.recover = RecoverOrder{.missing = {"pgvm5"}};
    EXPECT_EQ(action<ClaimRecord>(e.plan()), nullptr) << "another member";
    e.v.recover = RecoverOrder{.missing = {"pgvm4"}};
    EXPECT_NE(action<ClaimRecord>(e.plan()), nullptr) << e.plan().why;
}

TEST(Election, ReservesATimelineThatNobodyMayHaveOpened) {
    auto e = Election{}.voted(
        {Election::vote(self, 1000), Election::vote(other, 900), Election::vote(third, 900)});
    e.v.memory.decided.names_set_for = 5;
    const auto first = e.plan();
    ASSERT_NE(action<ReserveTimeline>(first), nullptr) << first.why;
    EXPECT_EQ(action<ReserveTimeline>(first)->timeline, 4U);
    EXPECT_EQ(action<Promote>(first), nullptr);

    // Promoted by hand, or cut off in an earlier epoch: whoever was there knows the number.
    e.v.votes.votes.at(1).timeline = 6;
    e.v.votes.votes.at(1).history_epoch = 3;
    EXPECT_EQ(action<ReserveTimeline>(e.plan())->timeline, 7U);
    auto record = e.record();
    record.reserved = {.epoch = 3, .timeline = 8};
    e.holding(record);
    EXPECT_EQ(action<ReserveTimeline>(e.plan())->timeline, 10U)
        << "epoch 4 may have taken 9, and the store may have lost it";
    record.reserved = {.epoch = 4, .timeline = 8};
    e.holding(record);
    EXPECT_EQ(action<ReserveTimeline>(e.plan())->timeline, 9U) << "of an earlier epoch";
    record.reserved.epoch = 5;
    e.holding(record);
    ASSERT_NE(action<Promote>(e.plan()), nullptr) << e.plan().why;
    EXPECT_EQ(action<Promote>(e.plan())->timeline, 8U);
}

TEST(Election, LeavesTheNumberFreeThatASilentMemberMayHaveOpenedByHand) {
    auto e = Election{}.voted({Election::vote(self, 1000), Election::vote(other, 900)});
    e.v.memory.decided.names_set_for = 5;
    EXPECT_EQ(action<ReserveTimeline>(e.plan())->timeline, 4U) << "its key says where it is";
    std::erase_if(e.v.cluster->members, [](const Member& m) { return m.uuid == third; });
    EXPECT_EQ(action<ReserveTimeline>(e.plan())->timeline, 5U) << "pgvm3 is silent";
    e.v.votes.votes.push_back(Election::vote(third, 900));
    EXPECT_EQ(action<ReserveTimeline>(e.plan())->timeline, 4U)
        << "the last primary can't be promoted";
}

TEST(Election, KeepsAClaimThatHasItsVotesHoweverLongASilentVoterWasWaitedFor) {
    auto e = Election{}.prepared().voted({Election::vote(self, 1000), Election::vote(other, 900)});
    ASSERT_EQ(action<Release>(e.plan()), nullptr);
    e.v.now = e.v.votes.first_asked + 3s;
    e.v.tenure->deadline = e.v.now + 4s;
    EXPECT_EQ(action<Release>(e.plan()), nullptr) << e.plan().why;
}

TEST(Election, GivesAClaimUpThatFindsNoVotes) {
    auto e = Election{}.prepared().voted({Election::vote(self, 1000)});
    EXPECT_EQ(action<Release>(e.plan()), nullptr);
    e.v.votes.rounds = 3;
    const auto plan = e.plan();
    ASSERT_NE(action<Release>(plan), nullptr) << plan.why;
    EXPECT_EQ(action<Release>(plan)->lsn, pg::Lsn{}) << "anybody may try";
    EXPECT_NE(plan.why.find("--accept-loss"), std::string::npos) << plan.why;
    EXPECT_EQ(plan.memory->decided.gave_up_epoch, 5U);
    EXPECT_GE(plan.memory->decided.gave_up_until, e.v.now + 10s);
}

TEST(Election, FetchesWhatABetterVoterHoldsThatCannotLead) {
    auto better = Election::vote(other, 1200);
    better.may_lead = false;
    auto e = Election{}.prepared().voted({Election::vote(self, 1000), better});
    e.v.now = e.v.votes.asked + 100ms;
    const auto plan = e.plan();
    ASSERT_NE(action<Follow>(plan), nullptr) << plan.why;
    EXPECT_EQ(action<Follow>(plan)->from->name, "pgvm2");
    e.v.local.following = action<Follow>(plan)->from;
    EXPECT_TRUE(e.plan().actions.empty()) << e.plan().why;
    e.v.local.lsn = pg::Lsn(1200);
    EXPECT_NE(action<Seal>(e.plan()), nullptr) << "with what it holds now";
}

TEST(Election, SetsNoNamesOfAnEarlierRoleInForce) {
    auto e = Election{};
    auto record = e.record();
    record.sync = {};
    e.holding(record);
    e.v.local.kept_standby_names = "ANY 1 (pgvm2,pgvm3)";
    const auto plan = e.plan();
    ASSERT_NE(action<SetStandbyNames>(plan), nullptr) << plan.why;
    EXPECT_FALSE(action<SetStandbyNames>(plan)->text) << "as configured";
    e.v.local.kept_standby_names.reset();
    EXPECT_EQ(action<SetStandbyNames>(e.plan()), nullptr);
}

TEST(Election, AnOperatorMayGiveUpWhatSilentVotersHold) {
    auto e = Election{}.prepared().voted({Election::vote(self, 1000)});
    e.v.loss_accepted = LossAccepted{.epoch = 4, .asked = e.v.now};
    EXPECT_NE(action<Promote>(e.plan()), nullptr) << e.plan().why;
    e.v.loss_accepted->epoch = 5;
    EXPECT_EQ(action<Promote>(e.plan()), nullptr) << "this claim is not what was looked at";
}

TEST(Place, LastEpochIsThatOfTheYoungestTimelineInTheHistory) {
    const std::vector<EpochStart> known{{.epoch = 1, .timeline = 1},
                                        {.epoch = 2, .timeline = 2, .begin = pg::Lsn(0x100)},
                                        {.epoch = 3, .timeline = 2, .begin = pg::Lsn(0x180)},
                                        {.epoch = 4, .timeline = 3, .begin = pg::Lsn(0x200)}};
    EXPECT_EQ(place_of(known, 1, "").epoch, 1U);
    EXPECT_EQ(place_of(known, 2, "1\t0/100\tx\n").epoch, 2U);
    EXPECT_EQ(place_of(known, 2, "1\t0/180\tx\n").epoch, 3U) << "the same number, another branch";
    EXPECT_EQ(place_of(known, 3, "1\t0/100\tx\n2\t0/200\tx\n").epoch, 4U);
    EXPECT_EQ(place_of(known, 9, "1\t0/111\tx\n").epoch, 1U);
}

TEST(Place, WhatAPromotionByHandAddedIsNoneOfTheClusters) {
    const std::vector<EpochStart> known{{.epoch = 1, .timeline = 1}};
    const auto by_hand = place_of(known, 2, "1\t0/100\tx\n");
    EXPECT_EQ(by_hand.epoch, 1U);
    EXPECT_FALSE(by_hand.opened);
    EXPECT_EQ(by_hand.left_at, pg::Lsn(0x100));
    EXPECT_FALSE(place_of(known, 1, "").left_at);
    // An older timeline that nobody here knows may well have been an epoch's.
    EXPECT_FALSE(place_of({{.epoch = 9, .timeline = 7}}, 2, "1\t0/100\tx\n").left_at);
}

TEST(Vote, OfAMemberPromotedByHandCountsUpToWhereItLeft) {
    auto by_hand = Election::vote(other, 0x9000, 1);
    by_hand.timeline = 2;
    by_hand.history = "1\t0/800\tx\n";
    by_hand.opened = false;
    auto faithful = Election::vote(self, 0x900, 1);
    faithful.timeline = 1;
    std::vector<Vote> votes{faithful, by_hand};
    rank(votes, {{.epoch = 1, .timeline = 1}});
    EXPECT_EQ(votes[1].flushed, pg::Lsn(0x800));
    EXPECT_FALSE(votes[1].may_lead);
    EXPECT_TRUE(ahead(votes[0], votes[1]));
}

TEST(Vote, OfAnAgentThatSleptIsRankedByWhatTheClaimerKnows) {
    // Its PostgreSQL followed timeline 10 of epoch 11 by itself; it knows of epoch 10 only.
    auto asleep = Election::vote(other, 0x7761, 10);
    asleep.timeline = 10;
    asleep.history = "9\t0/6000\tx\n";
    std::vector<Vote> votes{Election::vote(self, 0x6de6, 11), asleep};
    EXPECT_TRUE(ahead(votes[0], votes[1]));
    rank(votes,
         {{.epoch = 10, .timeline = 9}, {.epoch = 11, .timeline = 10, .begin = pg::Lsn(0x6000)}});
    EXPECT_EQ(votes[1].history_epoch, 11U);
    EXPECT_TRUE(ahead(votes[1], votes[0]));
}

TEST(Vote, OfOneTimelineAndHistoryRanksTheSameForEverybody) {
    auto one = Election::vote(self, 1000, 78);
    one.timeline = 17;
    one.history = "16\t0/900\tx\n";
    auto other_one = one;
    other_one.uuid = other;
    other_one.history_epoch = 79;
    std::vector<Vote> votes{one, other_one};
    rank(votes, {});
    EXPECT_FALSE(ahead(votes[1], votes[0]));
    EXPECT_FALSE(ahead(votes[0], votes[1]));
}

TEST(Vote, OfTheClaimerTellsWhichPromotionALostRecordMustName) {
    const Record seen{.epoch = 31, .promoted = {.uuid = other, .epoch = 30, .timeline = 18}};
    auto own = Election::vote(self, 1000, 31);
    own.timeline = 19;
    const auto revived_by = [&](const Vote& vote) { return revived(seen, {vote}, self)->promoted; };
    EXPECT_EQ(revived_by(own), (Promoted{.uuid = {}, .epoch = 31, .timeline = 19}));
    own.history_epoch = 30;
    EXPECT_EQ(revived_by(own), seen.promoted);
    EXPECT_FALSE(revived(std::nullopt, {own}, self));
}

TEST(Vote, SurvivesItsWayOverTheWire) {
    auto vote = Election::vote(self, 77, 3);
    EXPECT_EQ(*parse_vote(render(vote)), vote);
    vote.seen = Record{.epoch = 3,
                       .holder = "u",
                       .holder_name = "n",
                       .incarnation = "i",
                       .seq = 1,
                       .ttl = Millis(5000)};
    EXPECT_EQ(*parse_vote(render(vote)), vote);
    const SealRequest request{.epoch = 5, .incarnation = "i", .uuid = "u", .name = "n"};
    EXPECT_EQ(*parse_seal_request(render(request)), request);
    EXPECT_FALSE(parse_vote("{}"));
    EXPECT_FALSE(parse_seal_request("[1]"));
}

}  // namespace
}  // namespace howdah::ha
