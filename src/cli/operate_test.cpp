#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/ask.h"
#include "cli/config_file.h"
#include "cli/edit_config.h"
#include "cli/member_version.h"
#include "cli/pick_members.h"
#include "cli/remove.h"
#include "cli/unified_diff.h"

namespace howdah::cli {
namespace {

using Json = nlohmann::ordered_json;

const Json document = Json::parse(
    R"({"ttl":20,"loop_wait":2,"retry_timeout":5,"maximum_lag_on_failover":1048576,"postgresql":
        {"use_pg_rewind":true,"use_slots":true,"parameters":{"wal_level":"logical",
        "max_connections":60,"shared_buffers":"32MB","max_wal_senders":12}}})");

std::string diff_of(const EditConfigCommand& command, const EditTexts& texts = {}) {
    return unified_diff(config_yaml(document),
                        config_yaml(edited(document, command, texts).value()));
}

TEST(EditConfig, ShowsTheDiffThatPatronictlShows) {
    EXPECT_EQ(diff_of({.set = {"loop_wait=3"}}),
              "--- \n+++ \n@@ -1,4 +1,4 @@\n-loop_wait: 2\n+loop_wait: 3\n"
              " maximum_lag_on_failover: 1048576\n postgresql:\n   parameters:\n");
    EXPECT_EQ(diff_of({.pg = {"work_mem=6MB"}}),
              "--- \n+++ \n@@ -6,6 +6,7 @@\n     max_wal_senders: 12\n     shared_buffers: 32MB\n"
              "     wal_level: logical\n+    work_mem: 6MB\n   use_pg_rewind: true\n"
              "   use_slots: true\n retry_timeout: 5\n");
}

TEST(EditConfig, DistantChangesStandInHunksOfTheirOwn) {
    const auto diff = diff_of({.apply = "-"}, {.apply = "loop_wait: 1\nttl: null\n"});
    EXPECT_EQ(diff,
              "--- \n+++ \n@@ -1,4 +1,4 @@\n-loop_wait: 2\n+loop_wait: 1\n"
              " maximum_lag_on_failover: 1048576\n postgresql:\n   parameters:\n"
              "@@ -9,4 +9,3 @@\n   use_pg_rewind: true\n   use_slots: true\n retry_timeout: 5\n"
              "-ttl: 20\n");
}

TEST(EditConfig, SettingsAreYamlAndNullDeletes) {
    const auto after = edited(document,
                              {.set = {"ttl=null", "postgresql.use_slots=off", "a.b=[1, x]",
                                       "synchronous_mode=quorum"},
                               .pg = {"pg_stat_statements.max=10"}},
                              {})
                           .value();
    EXPECT_FALSE(after.contains("ttl"));
    EXPECT_EQ(after["postgresql"]["use_slots"], false);
    EXPECT_EQ(after["postgresql"]["parameters"]["pg_stat_statements.max"], 10);
    EXPECT_EQ(after["a"]["b"], Json::parse(R"([1,"x"])"));
    EXPECT_EQ(after["synchronous_mode"], "quorum");
}

TEST(EditConfig, ReplaceTakesTheFileAsItStands) {
    const auto after = edited(document, {.replace = "f"}, {.replace = "ttl: 30\n"}).value();
    EXPECT_EQ(after.dump(), R"({"ttl":30})");
    EXPECT_FALSE(edited(document, {.replace = "f"}, {.replace = "- 1\n"}));
    EXPECT_FALSE(edited(document, {.apply = "f"}, {.apply = "{"}));
    EXPECT_FALSE(edited(document, {.set = {"novalue"}}, {}));
    EXPECT_FALSE(edited(document, {.set = {"a..b=1"}}, {}));
}

TEST(UnifiedDiff, OfEqualTextsIsEmpty) {
    EXPECT_EQ(unified_diff("a\nb\n", "a\nb\n"), "");
    EXPECT_EQ(unified_diff("", "a\n"), "--- \n+++ \n@@ -0,0 +1 @@\n+a\n");
}

ha::Cluster three_members() {
    ha::Cluster cluster{.initialize = "7"};
    cluster.record.leader = "n2";
    for (const auto* name : {"n1", "n2", "n3"}) {
        cluster.members.push_back({.name = name, .state = "stopped"});
    }
    return cluster;
}

std::vector<std::string> names(const std::vector<ha::Member>& members) {
    std::vector<std::string> out;
    for (const auto& m : members) {
        out.push_back(m.name);
    }
    return out;
}

TEST(PickMembers, TheLeaderStandsFirst) {
    const auto cluster = three_members();
    EXPECT_EQ(names(members_with_role(cluster, "any")),
              (std::vector<std::string>{"n2", "n1", "n3"}));
    EXPECT_EQ(names(members_with_role(cluster, "replica")), (std::vector<std::string>{"n1", "n3"}));
    EXPECT_TRUE(members_with_role(cluster, "standby-leader").empty());
    EXPECT_EQ(one_member(cluster, "", "")->name, "n2");
    EXPECT_EQ(one_member(cluster, "", "n3")->name, "n3");
    EXPECT_EQ(one_member(cluster, "", "n9").error().message, "Can not find a suitable member");
    EXPECT_EQ(one_member({}, "", "").error().message, "Can not find a suitable member");
}

std::string removal(const ha::Cluster& cluster, const std::string& answers) {
    std::istringstream in(answers);
    std::ostringstream out;
    const auto agreed = agree_to_remove(cluster, "demo", in, out);
    return agreed ? "agreed" : agreed.error().message;
}

TEST(Remove, AsksThreeTimes) {
    const auto cluster = three_members();
    EXPECT_EQ(removal(cluster, "nope\n"), "Cluster names specified do not match");
    EXPECT_EQ(removal(cluster, "demo\nyes\n"), "You did not exactly type \"Yes I am aware\"");
    EXPECT_EQ(removal(cluster, "demo\nYes I am aware\nn1\n"),
              "You did not specify the current leader of the cluster");
    EXPECT_EQ(removal(cluster, "demo\nYes I am aware\nn2\n"), "agreed");
    EXPECT_EQ(removal(cluster, "demo\n"), "Aborted!");
}

TEST(Remove, IsRefusedWhileAgentsOfHowdahRun) {
    auto cluster = three_members();
    cluster.members[0].uuid = "u";
    EXPECT_EQ(removal(cluster, "demo\nYes I am aware\nn2\n"), "agreed");
    cluster.members[0].state = "running";
    EXPECT_EQ(removal(cluster, "demo\nYes I am aware\nn2\n"), "the agents of n1 still run");
}

TEST(Confirm, NothingMeansNo) {
    const auto answer = [](const std::string& text) {
        std::istringstream in(text);
        std::ostringstream out;
        const auto said = confirm("Sure?", in, out);
        return said ? (*said ? "yes" : "no") : "cancelled";
    };
    EXPECT_STREQ(answer("y\n"), "yes");
    EXPECT_STREQ(answer("\n"), "no");
    EXPECT_STREQ(answer("maybe\nYES\n"), "yes");
    EXPECT_STREQ(answer(""), "cancelled");
}

TEST(DcsUrl, NamesHostPortAndNamespace) {
    config::AgentConfig config;
    ASSERT_TRUE(use_store("etcd3://10.0.0.1:2380/db//x/", config));
    EXPECT_EQ(config.etcd->hosts.front().text(), "10.0.0.1:2380");
    EXPECT_EQ(config.prefix(), "/db/x//");
    ASSERT_TRUE(use_store("etcd.local", config));
    EXPECT_EQ(config.etcd->hosts.front().text(), "etcd.local:2379");
    EXPECT_FALSE(use_store("consul://x", config));
    EXPECT_FALSE(use_store("etcd://", config));
}

TEST(VersionText, IsAsPostgresqlWritesIt) {
    EXPECT_EQ(version_text(150020), "15.20");
    EXPECT_EQ(version_text(90603), "9.6.3");
}

}  // namespace
}  // namespace howdah::cli
