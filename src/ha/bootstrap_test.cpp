#include <gtest/gtest.h>

#include "ha/view_for_test.h"

// How a scope begins: with what initdb makes, or with what a restore left.

namespace howdah::ha {
namespace {

/// A member of a new scope whose directory a restore made.
AView restored_in_a_new_scope() {
    AView a;
    a.down();
    a.v.self.stored_epoch = 0;
    a.v.self.can_bootstrap = true;
    a.v.local.restored = Restored{.target = "time 2026-11-30", .stanza = "main"};
    a.v.local.following.reset();
    a.v.local.role = Role::none;
    a.v.cluster = Cluster{};
    a.v.memory = {};
    return a;
}

AView holds_the_claim(AView a) {
    auto record = a_record(RecordState::claimed);
    record.holder = "a";
    record.promoted = {};
    record.claimers = {"a"};
    a.with_record(record);
    a.v.tenure = Tenure{.epoch = 4, .deadline = a.v.now + 4s, .record = record};
    a.v.self.won_initialize = true;
    a.v.local.bootstrap_begun = true;
    return a;
}

Member other_member(bool restored) {
    return Member{.name = "pgvm2", .restored = restored, .uuid = "b"};
}

TEST(Bootstrap, RestoredDirectoryRacesMarksItselfAndClaims) {
    auto a = restored_in_a_new_scope();
    EXPECT_TRUE(does<RaceInitialize>(a.plan())) << a.plan().rule;
    a.v.self.won_initialize = true;
    EXPECT_TRUE(does<AdoptRestored>(a.plan())) << a.plan().rule;
    a.v.local.bootstrap_begun = true;
    EXPECT_TRUE(does<ClaimRecord>(a.plan())) << a.plan().rule;
}

TEST(Bootstrap, RecoversOnlyUnderAClaim) {
    const auto a = holds_the_claim(restored_in_a_new_scope());
    EXPECT_TRUE(does<RecoverRestored>(a.plan())) << a.plan().rule;
    auto without = a;
    without.v.tenure.reset();
    EXPECT_FALSE(does<RecoverRestored>(without.plan()));
    auto late = a;
    late.v.now = late.v.tenure->deadline - late.v.settings.lease.fence_budget;
    EXPECT_FALSE(does<RecoverRestored>(late.plan()));
}

TEST(Bootstrap, ARecoveryIsNeverPromotedNorFinishedBeforeItsEnd) {
    auto a = holds_the_claim(restored_in_a_new_scope());
    a.v.local.postmaster = true;
    a.v.local.tree_dead = false;
    a.v.local.role = Role::primary;  // it ends by itself
    for (const bool paused : {false, true}) {
        a.v.local.replay_paused = paused;
        EXPECT_EQ(a.plan().rule, "recover_restored");
        EXPECT_TRUE(a.plan().actions.empty());
    }
    EXPECT_NE(a.plan().why.find("pg_wal_replay_resume"), std::string::npos);
    a.v.local.restored.reset();
    a.v.local.accepting = true;
    EXPECT_TRUE(does<FinishBootstrap>(a.plan())) << a.plan().rule;
}

TEST(Bootstrap, ARecoveryWithoutATermIsFenced) {
    auto a = holds_the_claim(restored_in_a_new_scope());
    a.v.local.postmaster = true;
    a.v.local.tree_dead = false;
    a.v.local.role = Role::primary;
    a.v.tenure.reset();
    a.v.self.won_initialize = false;  // another run of the agent
    EXPECT_TRUE(does<Fence>(a.plan())) << a.plan().rule;
}

TEST(Bootstrap, TargetOutOfReachGivesTheRecordBackAndNeverInitializes) {
    auto a = holds_the_claim(restored_in_a_new_scope());
    a.v.local.job = {.kind = JobKind::start, .since = a.v.now, .error = "no target", .failures = 1};
    EXPECT_TRUE(does<Release>(a.plan())) << a.plan().rule;
    a.v.tenure.reset();
    auto released = *a.v.cluster->record.record;
    released.state = RecordState::released;
    a.with_record(released);
    EXPECT_EQ(a.plan().rule, "bootstrap");
    EXPECT_TRUE(a.plan().actions.empty());
    EXPECT_NE(a.plan().why.find("not recovered to time 2026-11-30"), std::string::npos);
    // The archive may have more by then.
    a.after(6s);
    EXPECT_TRUE(does<ClaimRecord>(a.plan())) << a.plan().rule;
}

TEST(Bootstrap, AnotherRunGoesOnWithItsOwnClaimAloneAndWaitsOutW) {
    auto a = holds_the_claim(restored_in_a_new_scope());
    a.v.tenure.reset();
    a.v.self.won_initialize = false;
    EXPECT_TRUE(does<ResumeBootstrap>(a.plan())) << a.plan().rule;
    // Not even behind the recovery is it started as a standby before that.
    auto recovered = a;
    recovered.v.local.restored.reset();
    recovered.v.self.can_bootstrap = false;
    EXPECT_EQ(recovered.plan().rule, "resume_bootstrap");
    EXPECT_TRUE(recovered.plan().actions.empty());
    a.v.self.won_initialize = true;
    EXPECT_FALSE(does<ClaimRecord>(a.plan()));
    a.after(6s);
    EXPECT_TRUE(does<ClaimRecord>(a.plan())) << a.plan().rule;
    // Nobody else does, whatever lies there.
    a.v.self.uuid = "c";
    a.v.self.won_initialize = false;
    EXPECT_EQ(a.plan().rule, "wait_with_restored");
    a.v.self.won_initialize = true;
    EXPECT_TRUE(does<Halt>(a.plan())) << a.plan().rule;
}

TEST(Bootstrap, GoesOnWhenTheAnswerToItsLastWordGotLost) {
    auto a = holds_the_claim(restored_in_a_new_scope());
    a.v.tenure.reset();
    a.v.local.restored.reset();
    a.v.cluster->initialize = "77";  // written, but this run does not know it
    EXPECT_FALSE(does<Halt>(a.plan())) << a.plan().why;
    a.after(6s);
    EXPECT_TRUE(does<ClaimRecord>(a.plan())) << a.plan().rule;
}

TEST(Bootstrap, ScopeThatHasHadAPrimaryIsNotBegunAgain) {
    auto a = restored_in_a_new_scope();
    a.v.last_record = a_record();
    EXPECT_EQ(a.plan().rule, "wait_with_restored");
    EXPECT_NE(a.plan().why.find("dcs recover"), std::string::npos) << a.plan().why;
    a.v.last_record.reset();
    a.v.self.stored_epoch = 3;
    EXPECT_EQ(a.plan().rule, "wait_with_restored");
    a.v.self.stored_epoch = 0;
    a.v.cluster->members = {other_member(false)};
    a.v.cluster->members[0].xlog_location = 7;
    EXPECT_EQ(a.plan().rule, "wait_with_restored");
}

TEST(Bootstrap, RestoredDirectoryThatCantLeadIsRefused) {
    auto shuts_down = restored_in_a_new_scope();
    shuts_down.v.local.restored->shuts_down = true;
    auto nofailover = restored_in_a_new_scope();
    nofailover.v.self.nofailover = true;
    auto no_section = restored_in_a_new_scope();
    no_section.v.self.can_bootstrap = false;
    auto standby_cluster = restored_in_a_new_scope();
    standby_cluster.v.settings.standby_cluster = true;
    auto refused = restored_in_a_new_scope();
    refused.v.settings.refused = "slots: is not supported";
    EXPECT_NE(refused.plan().why.find("slots: is not supported"), std::string::npos);
    for (const auto& a : {shuts_down, nofailover, no_section, standby_cluster, refused}) {
        EXPECT_EQ(a.plan().rule, "wait_with_restored");
        EXPECT_TRUE(a.plan().actions.empty());
    }
}

TEST(Bootstrap, DirectoryWithoutASignalStaysRefused) {
    auto a = restored_in_a_new_scope();
    a.v.local.restored.reset();
    EXPECT_EQ(a.plan().rule, "refuse_adoption");
}

TEST(Bootstrap, EmptyMemberWaitsForTheOneWithARestoredCluster) {
    auto a = restored_in_a_new_scope();
    a.v.local.restored.reset();
    a.v.local.data_dir = DataDir::empty;
    EXPECT_TRUE(does<RaceInitialize>(a.plan()));
    a.v.cluster->members = {other_member(true)};
    EXPECT_EQ(a.plan().rule, "clone");
    EXPECT_TRUE(a.plan().actions.empty());
    // It has won already: it gives way as long as nothing was claimed.
    a.v.self.won_initialize = true;
    EXPECT_TRUE(does<YieldBootstrap>(a.plan())) << a.plan().rule;
    a.v.local.data_dir = DataDir::initialized;
    a.v.local.bootstrap_begun = true;
    EXPECT_TRUE(does<YieldBootstrap>(a.plan())) << a.plan().rule;
    EXPECT_FALSE(does<YieldBootstrap>(holds_the_claim(a).plan()));
}

TEST(Bootstrap, OnceTheScopeHasAClusterARestoredDirectoryIsAStandbys) {
    auto a = restored_in_a_new_scope();
    a.v.cluster->initialize = "77";
    a.v.cluster->members = {
        Member{.name = "pgvm2", .conn_url = "postgres://127.0.52.82:5432/postgres", .uuid = "b"}};
    a.with_record(a_record());
    EXPECT_EQ(a.plan().rule, "start_standby");  // once its history was compared
}

}  // namespace
}  // namespace howdah::ha
