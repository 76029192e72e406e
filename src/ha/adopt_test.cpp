#include <gtest/gtest.h>

#include <algorithm>

#include "ha/decide.h"

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

template <class A>
bool does(const Plan& plan) {
    return std::any_of(plan.actions.begin(), plan.actions.end(),
                       [](const Action& a) { return std::holds_alternative<A>(a); });
}

constexpr Instant start{1000s};

/// A standby in a scope that Patroni left a minute ago; the others have been asked.
View a_view() {
    View v;
    v.now = start;
    v.self = {.uuid = "a", .name = "n1"};
    v.local = {.data_dir = DataDir::initialized,
               .system_id = "77",
               .postmaster = true,
               .accepting = true,
               .role = Role::standby,
               .state = PgState::running,
               .tree_dead = false,
               .timeline = 2,
               .lsn = pg::Lsn(1000)};
    v.cluster = Cluster{.initialize = "77",
                        .config_json = "{}",
                        .members = {{.name = "n1", .uuid = "a"}, {.name = "n2", .uuid = "b"}},
                        .history = {{.parent = 1}},
                        .optime = 1000};
    v.cluster_fresh = true;
    v.memory.noticed.leaderless_since = start - 60s;
    v.peers = {.asked = start - 1s,
               .complete = true,
               .standings = {{.uuid = "b",
                              .name = "n2",
                              .may_lead = true,
                              .timeline = 2,
                              .received = pg::Lsn(900)}}};
    return v;
}

TEST(Adopt, MemberWithAllWalLeadsOnWhenNoPatroniIsLeft) {
    const auto plan = decide(a_view());
    EXPECT_TRUE(does<ClaimRecord>(plan)) << plan.rule << ": " << plan.why;
}

TEST(Adopt, NothingIsClaimedWhilePatroniMayLead) {
    auto alive = a_view();
    alive.cluster->members[1].uuid.clear();
    auto leads = a_view();
    leads.cluster->record.leader_revision = 9;
    leads.cluster->record.leader = "n2";
    auto just_gone = a_view();
    just_gone.memory.noticed.leaderless_since = start - 1s;
    auto silent = a_view();
    silent.cluster_fresh = false;
    auto paused = a_view();
    paused.settings.pause = true;
    for (const auto& view : {alive, leads, just_gone, silent, paused}) {
        EXPECT_FALSE(does<ClaimRecord>(decide(view))) << decide(view).why;
    }
}

TEST(Adopt, OthersWithMoreWalOrWithoutAnAnswerForbidIt) {
    auto ahead = a_view();
    ahead.peers.standings[0].received = pg::Lsn(1001);
    auto newer = a_view();
    newer.peers.standings[0].timeline = 3;
    auto unheard = a_view();
    unheard.peers.standings.clear();
    auto knows = a_view();
    knows.peers.standings[0].stored_epoch = 3;
    for (const auto& view : {ahead, newer, unheard, knows}) {
        EXPECT_FALSE(does<ClaimRecord>(decide(view))) << decide(view).why;
    }
}

TEST(Adopt, PatronisOwnRulesHold) {
    auto behind = a_view();
    behind.cluster->optime = 1001;
    auto old = a_view();
    old.cluster->history = {{.parent = 2}};
    auto async = a_view();
    async.cluster->sync_json = R"({"leader":"n2","sync_standby":"n3"})";
    auto other = a_view();
    other.cluster->initialize = "78";
    for (const auto& view : {behind, old, async, other}) {
        EXPECT_FALSE(does<ClaimRecord>(decide(view))) << decide(view).why;
    }
    auto sync = a_view();
    sync.cluster->sync_json = R"({"leader":"n2","sync_standby":"n1"})";
    EXPECT_TRUE(does<ClaimRecord>(decide(sync))) << decide(sync).why;
}

TEST(Adopt, MemberThatKnowsATermGoesTheWayOfTheLostRecord) {
    auto view = a_view();
    view.self.stored_epoch = 1;
    EXPECT_NE(decide(view).rule, "take_over_from_patroni");
}

/// Down, in a scope that n2 leads as a Patroni member.
View beside_patroni() {
    auto v = a_view();
    v.cluster->record.leader = "n2";
    v.cluster->record.leader_revision = 42;
    v.cluster->members[1] = {.name = "n2",
                             .conn_url = "postgres://127.0.52.82:5432/postgres",
                             .state = "running",
                             .role = "master"};
    v.local.postmaster = v.local.accepting = false;
    v.local.role = Role::none;
    v.local.tree_dead = true;
    return v;
}

TEST(BesidePatroni, MemberFollowsItsPrimaryOnceTheHistoriesWereCompared) {
    auto view = beside_patroni();
    const auto asked = decide(view);
    EXPECT_TRUE(does<CheckDivergence>(asked)) << asked.rule;
    view.memory = *asked.memory;
    const auto started = decide(view);
    ASSERT_TRUE(does<StartStandby>(started)) << started.rule << ": " << started.why;
    EXPECT_EQ(std::get<StartStandby>(started.actions.at(0)).follow->name, "n2");
    view.cluster->record.leader_revision = 43;  // the next term
    view.now = start + 2s;
    EXPECT_TRUE(does<CheckDivergence>(decide(view)));
}

TEST(BesidePatroni, MemberThatKnowsAnEpochFollowsNoPatroniPrimary) {
    auto view = beside_patroni();
    view.self.stored_epoch = 1;
    const auto plan = decide(view);
    EXPECT_FALSE(does<CheckDivergence>(plan));
    for (const auto& action : plan.actions) {
        if (const auto* begun = std::get_if<StartStandby>(&action)) {
            EXPECT_FALSE(begun->follow);
        }
    }
}

/// Epoch 3 of this member was released; then Patroni's n2 took the key and promoted.
Record old_record() {
    return {.epoch = 3,
            .holder = "a",
            .holder_name = "n1",
            .ttl = 5s,
            .state = RecordState::released,
            .claimers = {"a", "b"},
            .promoted = {.uuid = "a", .epoch = 3, .timeline = 1},
            .system_id = "77",
            .timeline = 1,
            .lsn = pg::Lsn(900)};
}

View with_old_record(View v, std::int64_t revision) {
    v.cluster->record.revision = revision;
    v.cluster->record.record = old_record();
    v.cluster->record.value = render(old_record());
    v.self.stored_epoch = 3;
    return v;
}

TEST(BesidePatroni, MemberFollowsAPrimaryThatIsLaterThanTheLastRecord) {
    EXPECT_TRUE(does<CheckDivergence>(decide(with_old_record(beside_patroni(), 40))));
    EXPECT_FALSE(does<CheckDivergence>(decide(with_old_record(beside_patroni(), 43))));
}

/// The Patroni primary is gone, and its key with it: the old record is bare again.
View patroni_gone() {
    auto v = with_old_record(a_view(), 40);
    v.cluster->members[1].uuid = "b";
    v.memory.noticed.record_revision = 40;
    v.memory.noticed.record_value = v.cluster->record.value;
    v.memory.noticed.record_first_seen = start - 1s;
    v.memory.noticed.record_wait = 5s;
    v.peers.about_revision = 40;
    return v;
}

TEST(BesidePatroni, NobodyClaimsOverTheOldRecordAsIfItWereTheLastTerm) {
    auto claims = patroni_gone();
    claims.cluster->history.clear();
    claims.local.timeline = 1;
    ASSERT_EQ(decide(claims).rule, "claim_released") << decide(claims).why;
    EXPECT_FALSE(does<ClaimRecord>(decide(patroni_gone()))) << "a promotion it does not know";
    claims.memory.noticed.patroni_led_over = 40;
    EXPECT_FALSE(does<ClaimRecord>(decide(claims))) << "its key was seen";
    claims.memory.noticed.patroni_led_over = 0;
    claims.cluster->optime = 5000000;
    EXPECT_FALSE(does<ClaimRecord>(decide(claims))) << "/status knows of more";
    auto old = patroni_gone();
    old.local.timeline = 1;
    old.memory.noticed.record_first_seen = start - 60s;
    EXPECT_FALSE(does<ClaimRecord>(decide(old))) << "it does not have Patroni's timeline";
}

TEST(BesidePatroni, AMemberWithPatronisTimelineClaimsAfterTheWait) {
    auto v = patroni_gone();
    v.memory.noticed.record_first_seen = start - 60s;
    v.peers.standings[0].uuid = "c";
    const auto plan = decide(v);
    EXPECT_TRUE(does<ClaimRecord>(plan)) << plan.rule << ": " << plan.why;
}

TEST(BesidePatroni, ADeadMemberDoesNotGoOnWhereItsOldTermEnded) {
    auto v = patroni_gone();
    v.local.postmaster = v.local.accepting = false;
    v.local.role = Role::none;
    v.local.tree_dead = true;
    EXPECT_NE(decide(v).rule, "recover_in_place");
    v.cluster->history.clear();
    EXPECT_EQ(decide(v).rule, "recover_in_place");
}

TEST(StandbyCluster, IsNotLed) {
    auto v = a_view();
    v.settings.standby_cluster = true;
    const auto plan = decide(v);
    EXPECT_FALSE(does<ClaimRecord>(plan));
    EXPECT_NE(plan.why.find("standby_cluster"), std::string::npos) << plan.why;
    auto released = patroni_gone();
    released.cluster->history.clear();
    released.settings.standby_cluster = true;
    EXPECT_FALSE(does<ClaimRecord>(decide(released)));
    EXPECT_NE(decide(released).why.find("standby_cluster"), std::string::npos);
}

TEST(Adopt, WhatWouldDoHarmIfReadPastIsNotTakenOver) {
    auto v = a_view();
    ASSERT_TRUE(does<ClaimRecord>(decide(v)));
    v.settings.refused = "slots: is not supported";
    EXPECT_FALSE(does<ClaimRecord>(decide(v)));
    EXPECT_NE(decide(v).why.find("slots: is not supported"), std::string::npos);
}

TEST(StandbyCluster, AClaimerReleasesInsteadOfPromoting) {
    auto v = with_old_record(a_view(), 40);
    v.cluster->history.clear();
    v.settings.standby_cluster = true;
    auto own = old_record();
    own.epoch = 4;
    own.state = RecordState::claimed;
    v.tenure = Tenure{.epoch = 4, .deadline = start + 4s, .record = own};
    const auto plan = decide(v);
    EXPECT_TRUE(does<Release>(plan)) << plan.rule << ": " << plan.why;
}

TEST(StandbyCluster, APrimaryThatLeadsGoesOnAndSaysSo) {
    auto v = with_old_record(a_view(), 40);
    auto own = old_record();
    own.state = RecordState::primary;
    v.local.role = Role::primary;
    v.local.timeline = 1;
    v.cluster->record.record = own;
    v.tenure = Tenure{.epoch = 3, .deadline = start + 4s, .record = own};
    v.settings.standby_cluster = true;
    const auto plan = decide(v);
    EXPECT_FALSE(does<Fence>(plan) || does<Stop>(plan) || does<Release>(plan));
    EXPECT_NE(plan.why.find("standby_cluster"), std::string::npos) << plan.rule << plan.why;
    v.settings.standby_cluster = false;
    v.settings.refused = "slots: is not supported";
    EXPECT_NE(decide(v).why.find("slots: is not supported"), std::string::npos);
    EXPECT_EQ(decide(v).rule, plan.rule);
}

TEST(BesidePatroni, EmptyMemberIsCopiedFromItsPrimary) {
    auto view = beside_patroni();
    view.local.data_dir = DataDir::empty;
    view.local.system_id.clear();
    EXPECT_TRUE(does<Clone>(decide(view))) << decide(view).rule;
}

}  // namespace
}  // namespace howdah::ha
