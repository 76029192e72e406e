#include "config/dynamic_check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/dynamic_config.h"
#include "config/quantity.h"

namespace howdah::config {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> wrong_in(const std::string& text) {
    std::vector<std::string> out;
    for (const auto& finding : check_dynamic_config(Json::parse(text))) {
        out.push_back((finding.wrong ? "" : "odd ") + finding.text());
    }
    return out;
}

using Texts = std::vector<std::string>;

TEST(Quantity, ReadsWhatPatroniReads) {
    EXPECT_EQ(parse_quantity("42", Unit::none), 42);
    EXPECT_EQ(parse_quantity("-1", Unit::bytes), -1);
    EXPECT_EQ(parse_quantity("0x10", Unit::none), 16);
    EXPECT_EQ(parse_quantity("010", Unit::none), 8);
    EXPECT_EQ(parse_quantity("1.6", Unit::none), 2);
    EXPECT_EQ(parse_quantity("1e3", Unit::none), 1000);
    EXPECT_EQ(parse_quantity(" 16MB ", Unit::bytes), 16 << 20);
    EXPECT_EQ(parse_quantity("1GB", Unit::megabytes), 1024);
    EXPECT_EQ(parse_quantity("30min", Unit::seconds), 1800);
    for (const auto* bad : {"", "x", "16MB", "1 2", "--1", "0x", "1e999", "inf"}) {
        EXPECT_FALSE(parse_quantity(bad, Unit::none)) << bad;
    }
    EXPECT_FALSE(parse_quantity("16mb", Unit::bytes));
    EXPECT_FALSE(parse_quantity("30min", Unit::bytes));
}

TEST(CheckDynamicConfig, FindsNothingInWhatSitesHave) {
    EXPECT_EQ(wrong_in(R"({"ttl": 30, "loop_wait": 10, "retry_timeout": 10,
        "maximum_lag_on_failover": "1MB", "synchronous_mode": "quorum", "failsafe_mode": "on",
        "member_slots_ttl": "30min", "pause": null, "standby_cluster": {"host": "h"},
        "postgresql": {"use_pg_rewind": true, "use_slots": true,
            "create_replica_methods": ["pgbackrest", "basebackup"], "pgbackrest": {"command": "x"},
            "parameters": {"max_connections": "101", "wal_level": "logical", "wal_keep_size": "1GB",
                "pg_stat_statements.max": 1000, "hot_standby": "on"}}})"),
              Texts{});
}

TEST(CheckDynamicConfig, NamesKeyAndRange) {
    EXPECT_EQ(wrong_in(R"({"loop_wait": 0})"), Texts{"loop_wait: 0 is below the minimum of 1"});
    EXPECT_EQ(wrong_in(R"({"loop_wait": "x"})"), Texts{"loop_wait: \"x\" is no number"});
    EXPECT_EQ(wrong_in(R"({"loop_wait": true})"), Texts{"loop_wait: true is no number"});
    EXPECT_EQ(wrong_in(R"({"pause": "perhaps"})"),
              Texts{"pause: \"perhaps\" is neither true nor false"});
    EXPECT_EQ(wrong_in(R"({"postgresql": []})"), Texts{"postgresql: [] is no mapping"});
    EXPECT_EQ(wrong_in(R"({"postgresql": {"parameters": {"max_connections": 10}}})"),
              Texts{"postgresql.parameters.max_connections: 10 is below the minimum of 25"});
    EXPECT_EQ(wrong_in(R"({"postgresql": {"parameters": {"wal_level": "minimal"}}})"),
              Texts{"postgresql.parameters.wal_level: \"minimal\" is not enough for replication"});
    EXPECT_EQ(wrong_in(R"({"postgresql": {"parameters": {"wal_keep_size": "1MB"}}})"),
              Texts{"postgresql.parameters.wal_keep_size: \"1MB\" is not 16MB or more"});
    EXPECT_EQ(wrong_in(R"({"ttl": 1})"), Texts{"ttl: 1 s is below the minimum of 2 s"});
    EXPECT_EQ(wrong_in(R"({"howdah": {"lease": "warp"}})"),
              Texts{"howdah.lease: \"warp\" is no lease profile"});
    const auto hint = check_dynamic_config(Json::parse(R"({"retry_timeout": 1})")).front().hint;
    EXPECT_EQ(hint, "write a whole number, 3 or more; the default is 10");
}

TEST(CheckDynamicConfig, NamesWhatHasNoEffectAndRefusesWhatDoesHarm) {
    EXPECT_EQ(wrong_in(R"({"retry_timeout": 20, "check_timeline": false, "max_timelines_history": 0,
                           "postgresql": {"krbsrvname": "pg", "rewind": []}})"),
              (Texts{"odd retry_timeout: has no effect: how long the store may be silent follows "
                     "from howdah.lease or ttl",
                     "odd postgresql.krbsrvname: has no effect: connections use the service name "
                     "postgres"}));
    const auto found = check_dynamic_config(Json::parse(
        R"({"permanent_slots": {"cdc": {"type": "logical"}}, "slots": {}, "ignore_slots": [{}],
            "postgresql": {"pre_promote": "/bin/false", "bin_name": {"postgres": "x"},
                           "pg_hba_primary": ["local all all trust"]}})"));
    ASSERT_EQ(found.size(), 4);
    EXPECT_TRUE(std::ranges::all_of(found, [](const Finding& f) { return f.wrong && f.refused; }));
    EXPECT_EQ(found[1].text(),
              "postgresql.pre_promote: is not supported: it would not be asked before a promotion; "
              "remove it");
    const auto read = read_dynamic_config(R"({"slots": {"a": {"type": "physical"}}, "ttl": 40})");
    EXPECT_TRUE(read->config.refused.starts_with("slots: is not supported"));
    EXPECT_EQ(read->config.lease.ttl, Seconds(40));
    EXPECT_EQ(read->config.foreign_slots, Texts{"a"});
    EXPECT_EQ(read_dynamic_config(R"({"ttl": 0})")->config.refused, "");
    const auto foreign = read_dynamic_config(
        R"({"ignore_slots": [{"name": "barman", "type": "physical"}, {"type": "logical"}, {}]})");
    EXPECT_EQ(foreign->config.foreign_slots, (Texts{"barman", "*"}));
}

TEST(CheckDynamicConfig, LooksIntoEverySection) {
    EXPECT_EQ(wrong_in(R"({"postgresql": {"callbacks": {"on_start": "/x", "on_strat": "/y"}}})"),
              Texts{"odd postgresql.callbacks.on_strat: unknown key, ignored; did you mean "
                    "postgresql.callbacks.on_start?"});
}

TEST(CheckDynamicConfig, NamesTheNearestKnownKey) {
    EXPECT_EQ(wrong_in(R"({"loop_wiat": 10})"),
              Texts{"odd loop_wiat: unknown key, ignored; did you mean loop_wait?"});
    EXPECT_EQ(wrong_in(R"({"max_connections": 10})").size(), 1U);
    EXPECT_EQ(wrong_in(R"({"postgresql": {"archive_mode": "on"}})"),
              Texts{"odd postgresql.archive_mode: unknown key, ignored; did you mean "
                    "postgresql.parameters.archive_mode?"});
    EXPECT_EQ(wrong_in(R"({"postgresql": {"listen": "x:1"}})"),
              Texts{"odd postgresql.listen: ignored in the DCS: it belongs into each member's own "
                    "file"});
    EXPECT_EQ(wrong_in(R"({"postgresql": {"parameters": {"port": 1}}})").size(), 1U);
    EXPECT_EQ(wrong_in(R"({"postgresql": {"parameters": {"data_directory": "/etc"}}})"),
              Texts{"postgresql.parameters.data_directory: would start another server than the "
                    "agent looks at"});
    EXPECT_EQ(wrong_in(R"({"postgresql": {"parameters": {"restart_after_crash": "off"}}})"),
              Texts{});
    EXPECT_EQ(wrong_in(R"({"postgresql": {"parameters": {"restart_after_crash": true}}})").size(),
              1U);
}

TEST(WithoutWrongValues, RaisesToTheMinimumAndDropsWhatCantBeRead) {
    const auto left = without_wrong_values(Json::parse(
        R"({"ttl": 1, "loop_wait": 0, "retry_timeout": "x", "maximum_lag_on_failover": 5,
            "postgresql": {"parameters": {"max_connections": 3, "work_mem": "1MB"}}})"));
    EXPECT_EQ(left.dump(),
              R"({"ttl":2,"loop_wait":1,"retry_timeout":null,"maximum_lag_on_failover":5,)"
              R"("postgresql":{"parameters":{"max_connections":25,"work_mem":"1MB"}}})");
}

TEST(ReadDynamicConfig, OneBadValueHidesNoOther) {
    const auto read = read_dynamic_config(R"({"pause": true, "loop_wait": "x", "ttl": "y"})");
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->config.pause);
    EXPECT_EQ(read->config.loop_wait, Seconds(10));
    EXPECT_EQ(read->config.lease.ttl, Millis(5000));
    EXPECT_EQ(read->wrong.size(), 2U);
    EXPECT_FALSE(read_dynamic_config("[]"));
    EXPECT_FALSE(read_dynamic_config("not json"));
}

TEST(NewlyWrong, LetsADocumentWithFaultsBeMendedKeyByKey) {
    const auto before = Json::parse(R"({"loop_wait": 0, "retry_timeout": 1})");
    EXPECT_TRUE(newly_wrong(before, Json::parse(R"({"loop_wait": 0, "pause": true})")).empty());
    EXPECT_EQ(newly_wrong(before, Json::parse(R"({"loop_wait": -1})")).size(), 1U);
}

TEST(Patch, FollowsPatroni) {
    auto document = Json::parse(R"({"a": 1, "b": {"c": 2, "d": 3}, "e": true})");
    EXPECT_FALSE(patch(document, Json::parse(R"({"a": "1", "e": "True", "nothing": null})")));
    EXPECT_TRUE(patch(document, Json::parse(R"({"b": {"c": null, "f": {"g": 1}}, "h": [1]})")));
    EXPECT_EQ(document.dump(), R"({"a":1,"b":{"d":3,"f":{"g":1}},"e":true,"h":[1]})");
    EXPECT_TRUE(patch(document, Json::parse(R"({"b": 7})")));
    EXPECT_EQ(document.dump(), R"({"a":1,"b":7,"e":true,"h":[1]})");
}

TEST(SameSettings, ComparesLeavesAsText) {
    EXPECT_TRUE(same_settings(Json::parse(R"({"a": "101", "b": {"c": true}})"),
                              Json::parse(R"({"b": {"c": "True"}, "a": 101})")));
    EXPECT_FALSE(same_settings(Json::parse(R"({"a": 1})"), Json::parse(R"({"a": 1, "b": 2})")));
}

TEST(DynamicCheck, LinesOfPgHbaAreCheckedAndNeverDropped) {
    const std::string text =
        R"({"postgresql": {"pg_hba": ["local all all trust", "host all all 10.1.2.3 md5"]}})";
    EXPECT_EQ(wrong_in(text),
              Texts{"postgresql.pg_hba: line \"host all all 10.1.2.3 md5\": \"md5\" is no netmask; "
                    "write the address as 10.1.2.3/32"});
    const auto document = Json::parse(text);
    EXPECT_EQ(without_wrong_values(document), document);
    EXPECT_EQ(wrong_in(R"({"postgresql": {"pg_hba": ["local all all peer"]}})"), Texts());
}

}  // namespace
}  // namespace howdah::config
