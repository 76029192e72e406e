#include "proxy/standbys.h"

#include <gtest/gtest.h>

namespace howdah::proxy {
namespace {

ha::Member a_standby(std::string name, std::uint64_t replayed) {
    return {.name = std::move(name),
            .state = "running",
            .role = "replica",
            .xlog_location = replayed,
            .replay_lsn = replayed,
            .replication_state = "streaming"};
}

std::string names(const ha::Cluster& cluster, std::uint64_t max_lag = 100) {
    std::string text;
    for (const auto& standby : readable_standbys(cluster, max_lag)) {
        text += standby.member->name + (standby.takes_new ? " " : "(lags) ");
    }
    return text;
}

TEST(ReadableStandbys, AreRunningReplicas) {
    ha::Cluster cluster{
        .members = {a_standby("a", 1000), a_standby("b", 1000), a_standby("c", 1000)}};
    cluster.members[0].role = "primary";
    cluster.members[1].state = "starting";
    EXPECT_EQ(names(cluster), "c ");
    cluster.members[1].state = "streaming";
    EXPECT_EQ(names(cluster), "b c ");
}

TEST(ReadableStandbys, LeaveOutNoloadbalance) {
    ha::Cluster cluster{.members = {a_standby("a", 1000), a_standby("b", 1000)}};
    cluster.members[0].tags_json = R"({"noloadbalance":true})";
    cluster.members[1].tags_json = R"({"noloadbalance":false,"zone":"x"})";
    EXPECT_EQ(names(cluster), "b ");
    cluster.members[0].tags_json = "not json";
    EXPECT_EQ(names(cluster), "a b ");
}

TEST(ReadableStandbys, TakeNoNewSessionsBeyondTheLagLimit) {
    ha::Cluster cluster{.members = {a_standby("a", 900), a_standby("b", 899)}, .optime = 1000};
    EXPECT_EQ(names(cluster), "a b(lags) ");
    auto primary = a_standby("p", 5000);
    primary.role = "primary";
    cluster.members.push_back(primary);
    EXPECT_EQ(names(cluster), "a(lags) b(lags) ");
}

TEST(ReadableStandbys, WithoutAPositionLagOnlyIfThePrimaryHasOne) {
    ha::Cluster cluster{.members = {{.name = "a", .state = "running", .role = "replica"}}};
    EXPECT_EQ(names(cluster), "a ");
    cluster.optime = 1000;
    EXPECT_EQ(names(cluster), "a(lags) ");
    cluster.members[0].xlog_location = 1000;
    EXPECT_EQ(names(cluster), "a ");
}

}  // namespace
}  // namespace howdah::proxy
