#include "cli/dcs_status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace howdah::cli {
namespace {

TEST(DcsStatus, ShowsLeaderHealthAndSize) {
    const std::vector<dcs::etcd::EtcdMemberStatus> members{
        {.name = "pgvm1",
         .client_url = "http://127.0.63.81:2379",
         .leader = true,
         .healthy = true,
         .db_size = 2'540'000,
         .version = "3.4.23"},
        {.client_url = "http://127.0.63.82:2379", .error = "refused"}};
    EXPECT_EQ(render_dcs_status(members, false),
              "+ etcd --------+-------------------------+--------+---------+---------+--------+\n"
              "| Member       | Client                  | Role   | Health  | Version |   Size |\n"
              "+--------------+-------------------------+--------+---------+---------+--------+\n"
              "| pgvm1        | http://127.0.63.81:2379 | leader | healthy | 3.4.23  | 2.5 MB |\n"
              "| (not joined) | http://127.0.63.82:2379 |        | refused |         |        |\n"
              "+--------------+-------------------------+--------+---------+---------+--------+\n");
    const auto doc = nlohmann::json::parse(render_dcs_status(members, true));
    EXPECT_EQ(doc["members"][0]["db_size_bytes"], 2'540'000);
    EXPECT_EQ(doc["members"][0]["leader"], true);
    EXPECT_EQ(doc["members"][1]["healthy"], false);
}

}  // namespace
}  // namespace howdah::cli
