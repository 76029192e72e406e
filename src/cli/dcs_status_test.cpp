#include "cli/dcs_status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace howdah::cli {
namespace {

// Answers of etcd 3.4.23.
const std::string list =
    R"({"header":{"cluster_id":"1","member_id":"2","raft_term":"3"},"members":[)"
    R"({"ID":"13803658152347727308","name":"pgvm1","peerURLs":["http://127.0.63.81:2380"],)"
    R"("clientURLs":["http://127.0.63.81:2379"]}]})";
const std::string status = R"({"header":{"cluster_id":"1"},"version":"3.4.23","dbSize":"20480",)"
                           R"("leader":"13803658152347727308","raftIndex":"4","raftTerm":"2"})";

TEST(DcsStatus, ShowsLeaderHealthAndSize) {
    auto members = parse_member_list(list);
    ASSERT_TRUE(members) << members.error().message;
    ASSERT_TRUE(take_status(members->front(), status));
    EXPECT_EQ(render_dcs_status(*members, false),
              "+ etcd --+-------------------------+--------+---------+---------+--------+\n"
              "| Member | Client                  | Role   | Health  | Version |   Size |\n"
              "+--------+-------------------------+--------+---------+---------+--------+\n"
              "| pgvm1  | http://127.0.63.81:2379 | leader | healthy | 3.4.23  | 0.0 MB |\n"
              "+--------+-------------------------+--------+---------+---------+--------+\n");
    const auto doc = nlohmann::json::parse(render_dcs_status(*members, true));
    EXPECT_EQ(doc["members"][0]["db_size_bytes"], 20480);
    EXPECT_EQ(doc["members"][0]["leader"], true);
}

TEST(DcsStatus, AMemberWithoutLeaderIsNotHealthy) {
    EtcdMember member{.id = "1"};
    ASSERT_TRUE(take_status(
        member,
        R"({"version":"3.4.23","dbSize":"1","leader":"0","errors":["etcdserver: no leader"]})"));
    EXPECT_FALSE(member.answers);
    EXPECT_FALSE(parse_member_list("garbage"));
}

}  // namespace
}  // namespace howdah::cli
