#include "cli/table.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "api/overview.h"
#include "cli/edit_config.h"
#include "cli/pyyaml.h"

namespace howdah::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

const fs::path fixtures = fs::path(HOWDAH_SOURCE_DIR) / "tests/fixtures/patroni";

std::string contents(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

struct RecordedCluster {
    std::string name{};
    ha::Cluster cluster{};
};
RecordedCluster recorded_cluster(const fs::path& state) {
    const auto doc = Json::parse(contents(state / "etcd.json"));
    const auto prefix = doc.at("prefix").get<std::string>();
    std::vector<ha::ScopeKey> keys;
    for (const auto& key : doc.at("keys")) {
        keys.push_back({.name = key.at("key").get<std::string>().substr(prefix.size()),
                        .value = key.at("value"),
                        .mod_revision = key.at("mod_revision")});
    }
    const auto scope = prefix.substr(9, prefix.size() - 10);
    return {scope, ha::parse_cluster(keys, doc.at("revision"))};
}

/// In three states the WAL moved on between the reading of the keys and the printing.
std::string without_positions(const std::string& state, const std::string& text) {
    const bool moved = state == "4.1.4/sync" || state == "mixed/sync-302-leader" ||
                       state == "mixed/three-302-leader";
    return moved ? std::regex_replace(text, std::regex("0/[0-9A-F]{7}"), "0/.......") : text;
}

class RecordedList : public testing::TestWithParam<std::string> {};

TEST_P(RecordedList, IsPrintedAsPatronictlDid) {
    const auto state = fixtures / GetParam();
    const auto [name, cluster] = recorded_cluster(state);
    const bool classic = GetParam().starts_with("3.0.2");
    const std::vector<std::pair<std::string, ListLook>> looks{
        {"pretty", {.classic = classic}},
        {"topology", {.classic = classic, .topology = true}},
        {"extended", {.extended = true, .classic = classic}},
        {"tsv", {.format = Format::tsv, .classic = classic}},
        {"json", {.format = Format::json, .classic = classic}},
        {"yaml", {.format = Format::yaml, .classic = classic}}};
    for (const auto& [file, look] : looks) {
        const auto recorded =
            state / "patronictl" / ((file == "topology" ? file : "list-" + file) + ".stdout");
        if (fs::exists(recorded)) {
            EXPECT_EQ(without_positions(GetParam(), render_list(cluster, name, look)),
                      without_positions(GetParam(), contents(recorded)))
                << recorded;
        }
    }
}

TEST_P(RecordedList, ItsConfigurationIsShownAsPatronictlDid) {
    const auto state = fixtures / GetParam();
    const auto recorded = state / "patronictl/show-config.stdout";
    const auto config = api::object_of(recorded_cluster(state).cluster.config_json);
    if (fs::exists(recorded) && !config.empty()) {
        EXPECT_EQ(config_yaml(config) + "\n", contents(recorded));
    }
}

std::vector<std::string> recorded_states() {
    std::vector<std::string> out;
    for (const auto* version : {"4.1.4", "3.0.2", "mixed"}) {
        for (const auto& state : fs::directory_iterator(fixtures / version)) {
            if (state.is_directory()) {
                out.push_back(version + ("/" + state.path().filename().string()));
            }
        }
    }
    std::ranges::sort(out);
    return out;
}

INSTANTIATE_TEST_SUITE_P(
    All, RecordedList, testing::ValuesIn(recorded_states()), [](const auto& test) {
        auto name = test.param;
        std::ranges::replace_if(
            name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
        return "v" + name;
    });

TEST(History, IsPrintedAsPatronictlDid) {
    const auto state = fixtures / "4.1.4/after-failover";
    const auto cluster = recorded_cluster(state).cluster;
    EXPECT_EQ(render_history_table(cluster, Format::pretty),
              contents(state / "patronictl/history.stdout"));
    EXPECT_EQ(render_history_table(cluster, Format::json),
              contents(state / "patronictl/history-json.stdout"));
}

TEST(List, OfAnUnknownClusterIsAnEmptyTable) {
    EXPECT_EQ(render_list({}, "nosuch", {}),
              "+ Cluster: nosuch (uninitialized) --+-------------+-----+------------+-----+\n"
              "| Member | Host | Role | State | TL | Receive LSN | Lag | Replay LSN | Lag |\n"
              "+--------+------+------+-------+----+-------------+-----+------------+-----+\n"
              "+--------+------+------+-------+----+-------------+-----+------------+-----+\n");
    EXPECT_EQ(render_list({}, "nosuch", {.format = Format::json}), "[]\n");
}

TEST(List, ShowsPortsWhereMembersShareAHost) {
    ha::Cluster cluster;
    cluster.members = {{.name = "n1", .conn_url = "postgres://127.0.0.1:5432/postgres"},
                       {.name = "n2", .conn_url = "postgres://127.0.0.1:5433/postgres"}};
    const auto table = render_list(cluster, "demo", {});
    EXPECT_TRUE(table.contains("| 127.0.0.1:5432 |")) << table;
    EXPECT_TRUE(table.contains("| 127.0.0.1:5433 |")) << table;
}

TEST(Yaml, QuotesWhatWouldReadAsSomethingElse) {
    const Json doc{{"on", "yes"}, {"n", "12"}, {"t", "2030-01-01"}, {"star", "*"}, {"s", "it's: x"},
                   {"e", ""},     {"f", 1.5},  {"b", false},        {"z", nullptr}};
    EXPECT_EQ(yaml_block(doc),
              "b: false\ne: ''\nf: 1.5\nn: '12'\n'on': 'yes'\ns: 'it''s: x'\nstar: '*'\nt: "
              "'2030-01-01'\nz: null\n");
    EXPECT_EQ(yaml_flow(Json{{"a", "x,y"}, {"l", {1, 2}}}), "{a: 'x,y', l: [1, 2]}");
}

TEST(List, SaysBelowWhatIsNotAsConfiguredAndHowMuchIsRecoverable) {
    ha::Cluster cluster;
    cluster.record.leader = "n1";
    cluster.members = {{.name = "n1",
                        .settings_refused = "nonsense = 7 (unrecognized)",
                        .file_errors = "/d/pg_hba.conf line 3: bad",
                        .recoverable_until = 1764543600,
                        .uuid = "a"}};
    cluster.config_json = R"({"member_slots_ttl": 5, "ttl": 20})";
    const auto text = render_list(cluster, "demo", {.extended = true});
    EXPECT_NE(text.find(" Settings left out on n1: nonsense = 7 (unrecognized)\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find(" Wrong in configuration files of n1: /d/pg_hba.conf line 3: bad\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find(" Recoverable until: 2025-11-30 23:00:00 UTC (what was committed before"),
              std::string::npos)
        << text;
    EXPECT_EQ(render_list(cluster, "demo", {}).find("Recoverable"), std::string::npos);
    EXPECT_EQ(idle_keys_note(cluster),
              " Not in effect of /config: member_slots_ttl (why: howdah config explain)\n");
    cluster.config_json = "{}";
    EXPECT_EQ(idle_keys_note(cluster), "");
}

TEST(List, ClusterWithMembersOfBothKindsIsMarked) {
    ha::Cluster cluster;
    cluster.members = {{.name = "n1", .uuid = "a"},
                       {.name = "n2", .api_url = "http://n2:8008/patroni"}};
    EXPECT_TRUE(mixed_note(cluster).starts_with(" Mixed with Patroni: "));
    cluster.members[1].uuid = "b";
    EXPECT_EQ(mixed_note(cluster), "");
    cluster.members = {{.name = "n1", .api_url = "http://n1:8008/patroni"},
                       {.name = "n2", .api_url = "http://n2:8008/patroni"}};
    EXPECT_EQ(mixed_note(cluster), "");
}

}  // namespace
}  // namespace howdah::cli
