#include "ha/cluster.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace howdah::ha {
namespace {

/// Keys as recorded from a running Patroni.
Cluster recorded(const std::string& version, const std::string& state) {
    std::ifstream file(std::string(HOWDAH_SOURCE_DIR) + "/tests/fixtures/patroni/" + version + "/" +
                       state + "/etcd.json");
    const auto doc = nlohmann::json::parse(file);
    const auto prefix = doc["prefix"].get<std::string>();
    std::vector<ScopeKey> keys;
    for (const auto& key : doc["keys"]) {
        keys.push_back({.name = key["key"].get<std::string>().substr(prefix.size()),
                        .value = key["value"],
                        .mod_revision = key["mod_revision"]});
    }
    return parse_cluster(keys, doc["revision"]);
}

TEST(Cluster, ReadsWhatPatroni4Wrote) {
    const auto cluster = recorded("4.1.4", "three-async");
    EXPECT_EQ(cluster.leader_name(), "n1");
    EXPECT_TRUE(cluster.record.absent());
    EXPECT_TRUE(cluster.record.foreign());
    ASSERT_EQ(cluster.members.size(), 3U);
    EXPECT_EQ(cluster.member("n2")->replication_state, "streaming");
    EXPECT_EQ(cluster.member("n1")->role, "primary");
    EXPECT_EQ(cluster.member("n2")->postgres_address()->host, "127.0.53.82");
    EXPECT_EQ(cluster.optime, 83886080U);
}

TEST(Cluster, ReadsMasterOfPatroni3AsPrimary) {
    const auto cluster = recorded("3.0.2", "three-async");
    EXPECT_EQ(cluster.member("n1")->role, "primary");
    EXPECT_TRUE(cluster.member("n1")->is_patroni());
}

TEST(Cluster, ReadsTheHistoryAfterAFailover) {
    const auto cluster = recorded("4.1.4", "after-failover");
    ASSERT_EQ(cluster.history.size(), 6U);
    EXPECT_EQ(cluster.history[0].parent, 1U);
    EXPECT_EQ(cluster.history[0].new_leader, "n2");
}

TEST(Member, WritesTheKeysThatPatroniWrites) {
    auto member = recorded("4.1.4", "three-async").members[1];
    const auto text = render(member);
    EXPECT_EQ(parse_member("n2", text), member);
    EXPECT_EQ(text.find("howdah"), std::string::npos);
    member.uuid = "00ff";
    EXPECT_EQ(parse_member("n2", render(member)).uuid, "00ff");
    member.greatest_timeline = member.timeline + 3;
    EXPECT_EQ(parse_member("n2", render(member)).greatest_timeline, member.timeline + 3);
    member.greatest_timeline = member.timeline;
    EXPECT_EQ(render(member).find("greatest_timeline"), std::string::npos) << "says nothing new";
}

TEST(Member, NeverFailsOnWhatIsNotAnObject) {
    for (const auto* text :
         {"", "[]", "7", "postgres://host:5432/?application_name=x", R"({"role":7,"tags":[]})"}) {
        EXPECT_EQ(parse_member("n1", text).role, "") << text;
    }
}

TEST(Failover, ReadsBothForms) {
    const auto of = [](std::string value) {
        return parse_cluster({{.name = "failover", .value = std::move(value)}}, 1).failover;
    };
    EXPECT_EQ(of(R"({"leader":"n3","member":"n1"})").candidate, "n1");
    EXPECT_EQ(of("n3:n1").leader, "n3");
    EXPECT_TRUE(of("{}").empty());
}

TEST(History, ReadsPostgresHistoryFile) {
    const auto rows =
        history_rows("1\t0/3000110\tno recovery target specified\n\n2\t0/5000000\tx\n");
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[1].parent, 2U);
    EXPECT_EQ(rows[0].switch_lsn.text(), "0/3000110");
}

}  // namespace
}  // namespace howdah::ha
