#include "api/metrics.h"

#include <gtest/gtest.h>

namespace howdah::api {
namespace {

TEST(Metrics, MemberOfASilentStoreSaysUnlocked) {
    agent::Status s{.scope = "de\"mo", .name = "n1"};
    s.local.state = ha::PgState::running;
    const auto text = metrics(s);
    EXPECT_NE(text.find("patroni_cluster_unlocked{scope=\"de\\\"mo\",name=\"n1\"} 1\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("patroni_postgres_state{scope=\"de\\\"mo\",name=\"n1\"} -1\n"),
              std::string::npos);
}

TEST(Metrics, PatroniMemberMakesTheClusterMixed) {
    agent::Status s{.scope = "demo", .name = "n1"};
    s.cluster.members = {{.name = "n1", .uuid = "a"},
                         {.name = "n2", .api_url = "http://n2:8008/patroni", .uuid = "b"}};
    EXPECT_NE(metrics(s).find("howdah_cluster_mixed{scope=\"demo\",name=\"n1\"} 0\n"),
              std::string::npos);
    s.cluster.members[1].uuid.clear();
    EXPECT_NE(metrics(s).find("howdah_cluster_mixed{scope=\"demo\",name=\"n1\"} 1\n"),
              std::string::npos);
}

TEST(Metrics, TellsHowMuchARestoreBringsBack) {
    agent::Status s{.scope = "demo", .name = "n1"};
    s.local.recoverable_until = 1764543600;
    EXPECT_NE(metrics(s).find("howdah_recoverable_until_seconds{scope=\"demo\",name=\"n1\"} "
                              "1764543600\n"),
              std::string::npos);
}

TEST(Metrics, PriorityFollowsTheTags) {
    agent::Status s{.scope = "demo", .name = "n1", .tags_json = R"({"failover_priority": 7})"};
    const std::string line = "patroni_failover_priority{scope=\"demo\",name=\"n1\"} ";
    EXPECT_NE(metrics(s).find(line + "7\n"), std::string::npos);
    s.tags_json = R"({"nofailover": true, "failover_priority": 7})";
    EXPECT_NE(metrics(s).find(line + "0\n"), std::string::npos);
}

}  // namespace
}  // namespace howdah::api
