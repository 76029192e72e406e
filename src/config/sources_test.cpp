#include "config/sources.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/explain.h"
#include "config/yaml.h"

namespace howdah::config {
namespace {

namespace fs = std::filesystem;

struct AFolder {
    fs::path path = fs::temp_directory_path() / ("howdah-config-" + std::to_string(::getpid()));
    AFolder() { fs::create_directories(path); }
    AFolder(const AFolder&) = delete;
    AFolder& operator=(const AFolder&) = delete;
    ~AFolder() { fs::remove_all(path); }
    void put(const std::string& name, const std::string& text) const {
        std::ofstream(path / name) << text;
    }
};

constexpr auto small = R"(scope: demo
name: n1
restapi: {listen: 127.0.0.1:8008}
etcd3: {hosts: [127.0.0.1:2379]}
postgresql:
  listen: 127.0.0.1:5432
  data_dir: /tmp/none
  authentication: {replication: {username: replicator, password: secret}}
  parameters: {work_mem: 4MB}
)";

TEST(Sources, FilesOfADirectoryAreMergedInTheOrderOfTheirNames) {
    const AFolder folder;
    folder.put("10-base.yml", small);
    folder.put("20-host.yaml", "name: n2\npostgresql:\n  parameters: {work_mem: null, jit: off}\n");
    folder.put("30-no.txt", "name: n3\n");
    const auto sources = gather(folder.path, {});
    ASSERT_TRUE(sources) << sources.error().message;
    EXPECT_EQ(sources->document["name"], "n2");
    const auto parameters = sources->document["postgresql"]["parameters"];
    EXPECT_EQ(parameters.dump(), R"({"jit":false})");
    EXPECT_EQ(sources->origin_of("postgresql.parameters.jit").text(),
              (folder.path / "20-host.yaml").string() + ":3");
    EXPECT_EQ(sources->origin_of("postgresql.listen").text(),
              (folder.path / "10-base.yml").string() + ":6");
}

TEST(Sources, FaultsNameTheFileThatHasThem) {
    const AFolder folder;
    folder.put("10-base.yml", small);
    folder.put("20-host.yml", "# more\nrestapi:\n  listen: 127.0.0.1:nine\nscoop: x\n");
    const auto config = load_agent_config(folder.path, Purpose::agent);
    ASSERT_FALSE(config);
    EXPECT_TRUE(config.error().message.starts_with((folder.path / "20-host.yml").string() +
                                                   ":3: restapi.listen: "))
        << config.error().message;
    folder.put("20-host.yml", "scope: [\n");
    EXPECT_NE(load_agent_config(folder.path, Purpose::agent).error().message.find("20-host.yml"),
              std::string::npos);
    fs::remove(folder.path / "20-host.yml");
    fs::remove(folder.path / "10-base.yml");
    EXPECT_EQ(gather(folder.path, {}).error().code, Errc::not_found);
}

TEST(Sources, WhatYamlReadsAsANumberIsThatNumberAndSaid) {
    const auto sources = gather_text(
        "scope: 010\nname: yes\netcd3: {hosts: [127.0.0.1:2379]}\nwatchdog: {mode: off}\n"
        "postgresql:\n  listen: 127.0.0.1:5432\n  data_dir: /tmp/none\n  authentication:\n"
        "    replication: {username: replicator, password: 0123456}\n"
        "  parameters: {log_file_mode: 0640, work_mem: 4MB, jit: on}\n",
        "x.yml");
    ASSERT_TRUE(sources);
    const auto checked = check_agent_config(*sources, "x.yml");
    ASSERT_TRUE(checked.wrong.empty()) << checked.wrong.front().message;
    EXPECT_EQ(checked.config.scope, "8");
    EXPECT_EQ(checked.config.name, "True");
    EXPECT_EQ(checked.config.postgresql.replication.password, "42798");
    EXPECT_EQ(checked.config.watchdog.mode, Watchdog::Mode::off);
    EXPECT_EQ(sources->document["postgresql"]["parameters"]["log_file_mode"], 416);
    std::vector<std::string> said;
    for (const auto& warning : checked.config.warnings) {
        said.push_back(warning.text());
    }
    EXPECT_EQ(said, (std::vector<std::string>{
                        "x.yml:1: scope: YAML reads 010 as 8, as Patroni does; write it in quotes "
                        "to keep it as it stands",
                        "x.yml:2: name: YAML reads yes as True, as Patroni does; write it in "
                        "quotes to keep it as it stands",
                        "x.yml:9: postgresql.authentication.replication.password: what stands "
                        "there is a number or a truth value for YAML, and read as such, as "
                        "Patroni reads it; write it in quotes"}));
}

TEST(Sources, TheEnvironmentBeatsTheFile) {
    const AFolder folder;
    folder.put("patroni.yml", small);
    const auto sources = gather((folder.path / "patroni.yml").string(),
                                {{"PATRONI_NAME", "n7"},
                                 {"PATRONI_SCOPE", ""},
                                 {"PATRONI_ETCD3_HOSTS", "'10.0.0.1:2379','10.0.0.2:2379'"},
                                 {"PATRONI_RESTAPI_HTTP_EXTRA_HEADERS", "a: b"},
                                 {"PATRONI_SUPERUSER_PASSWORD", "0123"}});
    ASSERT_TRUE(sources) << sources.error().message;
    const auto checked = check_agent_config(*sources, "x");
    ASSERT_TRUE(checked.wrong.empty()) << checked.wrong.front().message;
    EXPECT_EQ(checked.config.name, "n7");
    EXPECT_EQ(checked.config.scope, "demo");
    EXPECT_EQ(checked.config.etcd->hosts.size(), 2);
    EXPECT_EQ(checked.config.postgresql.superuser.password, "0123");
    EXPECT_EQ(sources->document["restapi"]["http_extra_headers"]["a"], "b");
}

TEST(Sources, TheEnvironmentAloneIsEnough) {
    const Environment alone{{"PATRONI_SCOPE", "demo"},
                            {"PATRONI_NAME", "n1"},
                            {"PATRONI_RESTAPI_LISTEN", "127.0.0.1:8008"},
                            {"PATRONI_ETCD3_HOST", "127.0.0.1:2379"},
                            {"PATRONI_POSTGRESQL_LISTEN", "127.0.0.1:5432"},
                            {"PATRONI_POSTGRESQL_DATA_DIR", "/tmp/none"},
                            {"PATRONI_REPLICATION_USERNAME", "replicator"},
                            {"PATRONI_REPLICATION_PASSWORD", "x"}};
    const auto sources = gather("", alone);
    ASSERT_TRUE(sources);
    EXPECT_TRUE(check_agent_config(*sources, "").wrong.empty());
    EXPECT_FALSE(gather("", {}));
    auto whole = alone;
    whole["PATRONI_CONFIGURATION"] = small;
    EXPECT_EQ(gather("", whole)->document["name"], "n1");
}

TEST(Sources, WhatIsNoListIsRefusedByTheNameOfItsVariable) {
    const auto wrong = gather("", {{"PATRONI_ETCD3_HOSTS", "['a"}});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().message, "environment: PATRONI_ETCD3_HOSTS: is no list");
}

TEST(Check, TellsEveryFaultNotOnlyTheFirst) {
    const auto sources = gather_text("scope: demo\nrestapi: 7\ntags: [a]\n", "x.yml");
    std::vector<std::string> said;
    for (const auto& error : check_agent_config(*sources, "x.yml").wrong) {
        said.push_back(error.message);
    }
    EXPECT_GE(said.size(), 5);
    EXPECT_NE(std::ranges::find(said, "x.yml:2: restapi: must be a mapping, not \"7\""), said.end())
        << said.front();
}

std::string explained(const std::string& key, const std::string& dynamic = "{}") {
    const auto sources = gather_text(small, "x.yml");
    return render(explain(*sources, nlohmann::ordered_json::parse(dynamic), key));
}

TEST(Explain, LocalBeatsDynamicInPostgresql) {
    EXPECT_EQ(explained("work_mem", R"({"postgresql":{"parameters":{"work_mem":"8MB"}}})"),
              "postgresql.parameters.work_mem: 4MB    (x.yml:9)\n"
              "    8MB    (/config; shadowed)\n");
}

TEST(Explain, OnlyConfigCountsForWhatThatControls) {
    const auto sources = gather_text(std::string(small) + "ttl: 17\n", "x.yml");
    EXPECT_EQ(render(explain(*sources, nlohmann::ordered_json::parse(R"({"ttl":40})"), "ttl")),
              "ttl: 40    (/config)\n    17    (x.yml:10; without effect: only /config counts)\n");
    EXPECT_EQ(explained("loop_wait"), "loop_wait: 10    (default)\n");
}

TEST(Explain, AddressesAreTheHostsOwn) {
    EXPECT_EQ(explained("postgresql.listen", R"({"postgresql":{"listen":"0.0.0.0:1"}})"),
              "postgresql.listen: 127.0.0.1:5432    (x.yml:6)\n"
              "    0.0.0.0:1    (/config; without effect: only the host's own file counts)\n");
}

TEST(Explain, PasswordsAreNotPrinted) {
    EXPECT_EQ(explained("password"),
              "postgresql.authentication.replication.password: (hidden)    (x.yml:8)\n");
}

/// Every file of the walkthrough; its misplaced keys are named, and none is taken for another.
TEST(Walkthrough, LoadsAndItsMisplacedKeysAreNamed) {
    int files = 0;
    for (const auto& entry :
         fs::directory_iterator(HOWDAH_SOURCE_DIR "/tests/fixtures/walkthrough")) {
        if (entry.path().extension() != ".yml") {
            continue;
        }
        ++files;
        const auto config = load_agent_config(entry.path(), Purpose::agent);
        ASSERT_TRUE(config) << config.error().message;
        EXPECT_FALSE(config->scope.empty());
    }
    EXPECT_GE(files, 8);
    const auto first = load_agent_config(
        HOWDAH_SOURCE_DIR "/tests/fixtures/walkthrough/pgvm1-patroni.yml", Purpose::agent);
    std::string warnings;
    for (const auto& warning : first->warnings) {
        warnings += warning.key + ": " + warning.message + "\n";
    }
    EXPECT_NE(warnings.find("postgresql.authentication.parameters: unknown key, ignored; did you "
                            "mean postgresql.parameters?"),
              std::string::npos)
        << warnings;
}

}  // namespace
}  // namespace howdah::config
