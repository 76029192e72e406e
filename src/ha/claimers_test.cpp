#include <gtest/gtest.h>

#include "ha/decide.h"
#include "ha/rules.h"

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

Member streaming(std::string name, Uuid uuid) {
    return {.name = name,
            .api_url = "http://" + name + ":8008/patroni",
            .replication_state = "streaming",
            .uuid = std::move(uuid)};
}

/// The primary "a" of a cluster whose claimers are a, b and c; all have member keys.
struct APrimary {
    View v{};

    APrimary() {
        const Record record{.epoch = 4,
                            .holder = "a",
                            .holder_name = "pgvm1",
                            .incarnation = "ia",
                            .ttl = 5s,
                            .state = RecordState::primary,
                            .claimers = {"a", "b", "c"},
                            .promoted = {.uuid = "a", .epoch = 4, .timeline = 3},
                            .system_id = "77",
                            .timeline = 3};
        v.now = Instant{1000s};
        v.self = {.uuid = "a", .name = "pgvm1", .stored_epoch = 4, .armed_until = v.now + 60s};
        v.local = {.data_dir = DataDir::initialized,
                   .system_id = "77",
                   .postmaster = true,
                   .accepting = true,
                   .role = Role::primary,
                   .tree_dead = false,
                   .timeline = 3,
                   .lsn = pg::Lsn(1000),
                   .answered = v.now};
        v.tenure = Tenure{.epoch = 4, .deadline = v.now + 4s, .record = record};
        v.cluster = Cluster{.initialize = "77", .config_json = "{}"};
        v.cluster_fresh = true;
        v.cluster->record = Sighting{.revision = 50,
                                     .value = render(record),
                                     .leader_revision = 50,
                                     .leader = "pgvm1",
                                     .record = record};
        v.cluster->members = {Member{.name = "pgvm1", .uuid = "a"}, streaming("pgvm2", "b"),
                              streaming("pgvm3", "c")};
    }
    void forget(const Uuid& uuid) {
        std::erase_if(v.cluster->members, [&](const Member& m) { return m.uuid == uuid; });
    }
    std::optional<std::vector<Uuid>> set_after(Nanos t) {
        v.memory = decide(v).memory.value_or(v.memory);
        v.now = v.now + t;
        v.local.answered = v.now;
        v.tenure->deadline = v.now + 4s;
        for (const auto& action : decide(v).actions) {
            if (const auto* set = std::get_if<SetClaimers>(&action)) {
                return set->claimers;
            }
        }
        return std::nullopt;
    }
};

TEST(Claimers, MemberWithoutAKeyIsDismissedAfterAWhile) {
    APrimary primary;
    primary.forget("c");
    EXPECT_EQ(primary.set_after(29s), std::nullopt);
    EXPECT_EQ(primary.set_after(2s), (std::vector<Uuid>{"a", "b"}));
}

TEST(Claimers, LastOneWhoCouldTakeOverStays) {
    APrimary primary;
    primary.forget("c");
    primary.v.cluster->members[1].replication_state.clear();
    EXPECT_EQ(primary.set_after(60s), std::nullopt);
}

TEST(Claimers, VoterOfTheSyncSetStays) {
    APrimary primary;
    primary.forget("c");
    primary.v.tenure->record.sync = {
        .mode = SyncMode::on, .voters = {{.uuid = "c", .name = "pgvm3"}}, .copies = 1};
    primary.v.settings.sync_mode = SyncMode::on;
    EXPECT_EQ(primary.set_after(60s), std::nullopt);
}

TEST(Claimers, NobodyIsDismissedWhileTheStoreIsSilent) {
    APrimary primary;
    primary.forget("c");
    primary.v.on_promises = true;
    EXPECT_EQ(primary.set_after(60s), std::nullopt);
}

TEST(Claimers, WhoStreamsIsAdmittedAgain) {
    APrimary primary;
    primary.v.tenure->record.claimers = {"a", "b"};
    EXPECT_EQ(primary.set_after(1s), (std::vector<Uuid>{"a", "b", "c"}));
}

TEST(Claimers, FailsafeListsExactlyThem) {
    const std::vector<Member> members{streaming("pgvm1", "a"), streaming("pgvm2", "b"),
                                      streaming("pgvm3", "c")};
    EXPECT_EQ(failsafe_document({"a", "c"}, members),
              R"({"pgvm1":"http://pgvm1:8008/patroni","pgvm3":"http://pgvm3:8008/patroni"})");
    EXPECT_EQ(failsafe_document({"a", "z"}, members), std::nullopt) << "one is unknown";
}

TEST(Claimers, FailsafeIsWrittenWhenItSaysOtherwise) {
    APrimary primary;
    EXPECT_EQ(primary.set_after(1s), std::nullopt) << "no failsafe mode";
    primary.v.settings.failsafe = true;
    EXPECT_EQ(primary.set_after(1s), (std::vector<Uuid>{"a", "b", "c"}));
    primary.v.cluster->failsafe_json =
        *failsafe_document({"a", "b", "c"}, primary.v.cluster->members);
    EXPECT_EQ(primary.set_after(1s), std::nullopt);
}

}  // namespace
}  // namespace howdah::ha
