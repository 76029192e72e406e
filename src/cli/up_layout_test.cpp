#include "cli/up_layout.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/agent_config.h"
#include "config/dynamic_config.h"

namespace howdah::cli {
namespace {

const UpPasswords passwords{"s-pw", "r-pw", "w-pw", "a-pw"};
const UpSettings settings{.lease_profile = "lan-fast", .bin_dir = "/usr/lib/postgresql/15/bin"};

TEST(UpLayout, MemberConfigurationIsReadWithoutWarnings) {
    const auto layout = make_layout("/tmp/d", "127.0.52", false);
    const auto& member = layout.members[1];
    const auto config =
        config::parse_agent_config(render_member_config(layout, member, passwords, settings),
                                   member.config(), config::Purpose::agent);
    ASSERT_TRUE(config) << config.error().message;
    for (const auto& warning : config->warnings) {
        ADD_FAILURE() << warning.text();
    }
    EXPECT_EQ(config->name, "pgvm2");
    EXPECT_EQ(config->state_dir, "/tmp/d/pgvm2/state");
    EXPECT_EQ(config->restapi.listen.text(), "127.0.52.82:8008");
    EXPECT_EQ(config->postgresql.data_dir, "/tmp/d/pgvm2/data");
    EXPECT_EQ(config->postgresql.superuser.password, "s-pw");
    ASSERT_TRUE(config->etcd && config->etcd->supervised);
    EXPECT_EQ(config->etcd->hosts.size(), 3U);
    EXPECT_EQ(config->etcd->supervised->client, "http://127.0.52.82:2379");
    EXPECT_EQ(config->etcd->supervised->members.at("pgvm3"), "http://127.0.52.83:2380");
    const auto dynamic = config::parse_dynamic_config(config->bootstrap->dcs_json);
    ASSERT_TRUE(dynamic) << dynamic.error().message;
    EXPECT_EQ(dynamic->lease.ttl, ha::LeaseTimes::of_profile("lan-fast")->ttl);
}

TEST(UpLayout, ASingleEtcdIsNobodysChild) {
    const auto layout = make_layout("/tmp/d", "127.0.52", true);
    const auto config = config::parse_agent_config(
        render_member_config(layout, layout.members[0], passwords, settings), "f",
        config::Purpose::agent);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_FALSE(config->etcd->supervised);
    EXPECT_EQ(config->etcd->hosts, (std::vector<config::HostPort>{{"127.0.52.84", 2379}}));
}

TEST(UpLayout, ProxyConfigurationIsReadWithoutWarnings) {
    const auto layout = make_layout("/tmp/d", "127.0.52", false);
    const auto config = config::parse_agent_config(render_proxy_config(layout, passwords),
                                                   "proxy.yml", config::Purpose::proxy);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_TRUE(config->warnings.empty());
    ASSERT_TRUE(config->proxy && config->proxy->read_write && config->proxy->read_only);
    EXPECT_EQ(config->proxy->read_write->text(), "127.0.52.85:5000");
    EXPECT_EQ(config->proxy->read_only->text(), "127.0.52.85:5001");
}

TEST(UpLayout, ClusterJsonNamesEndpointAndMembers) {
    const auto layout = make_layout("/tmp/d", "127.0.52", false);
    const auto doc = nlohmann::json::parse(render_cluster_json(layout, passwords));
    EXPECT_EQ(doc["endpoint"],
              "host=127.0.52.85 port=5000 dbname=postgres user=postgres password=s-pw");
    EXPECT_EQ(doc["read_only"],
              "host=127.0.52.85 port=5001 dbname=postgres user=postgres password=s-pw");
    EXPECT_EQ(doc["members"].size(), 3U);
    const auto& member = doc["members"]["pgvm1"];
    EXPECT_EQ(member["host"], "127.0.52.81");
    EXPECT_EQ(member["dsn"],
              "host=127.0.52.81 port=5432 dbname=postgres user=postgres password=s-pw");
    EXPECT_EQ(member["data_dir"], "/tmp/d/pgvm1/data");
    EXPECT_EQ(member["config"], "/tmp/d/pgvm1/patroni.yml");
    EXPECT_EQ(member["pid_file"], "/tmp/d/pgvm1/state/agent.pid");
    EXPECT_EQ(member["log"], "/tmp/d/pgvm1/agent.log");
}

}  // namespace
}  // namespace howdah::cli
