#include "config/agent_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/dynamic_config.h"

namespace howdah::config {
namespace {

using namespace std::chrono_literals;

std::string walkthrough(const std::string& name) {
    return std::string(HOWDAH_SOURCE_DIR) + "/tests/fixtures/walkthrough/" + name + ".yml";
}

constexpr auto minimal = R"(
scope: demo
name: n1
restapi: {listen: 127.0.0.1:8008}
etcd3: {hosts: ["127.0.0.1:2379"]}
postgresql:
  listen: 127.0.0.1:5432
  data_dir: /data
  authentication: {replication: {username: replicator}}
)";

Result<AgentConfig> parse(const std::string& more = {}, Purpose purpose = Purpose::agent) {
    return parse_agent_config(minimal + more, "f.yml", purpose);
}

std::vector<std::string> warnings_of(const AgentConfig& config) {
    std::vector<std::string> out;
    for (const auto& w : config.warnings) {
        out.push_back(w.key + ": " + w.message);
    }
    return out;
}

TEST(AgentConfig, LoadsEveryFileOfTheWalkthrough) {
    for (const auto* name : {"pgvm1-patroni", "pgvm1-patroni1", "pgvm2-patroni", "pgvm2-patroni1",
                             "pgvm3-patroni", "pgvm3-patroni1", "pgvm7-patroni", "pgvm8-patroni"}) {
        const auto config = load_agent_config(walkthrough(name), Purpose::agent);
        ASSERT_TRUE(config) << name << ": " << config.error().message;
        EXPECT_EQ(config->scope, "postgres");
        EXPECT_EQ(config->postgresql.data_dir, "/var/lib/postgresql/data");
        EXPECT_EQ(config->postgresql.rewind->username, "rewind_user");
        EXPECT_EQ(config->etcd->hosts,
                  (std::vector<HostPort>{{.host = "50.51.52.84", .port = 2379}}));
        EXPECT_EQ(config->bootstrap->initdb,
                  (std::vector<std::string>{"--encoding=UTF8", "--data-checksums"}));
        EXPECT_EQ(config->bootstrap->users.at(0).options,
                  (std::vector<std::string>{"createrole", "createdb"}));
    }
}

TEST(AgentConfig, NamesTheMisplacedKeysOfTheWalkthrough) {
    const auto config = load_agent_config(walkthrough("pgvm3-patroni1"), Purpose::agent).value();
    EXPECT_EQ(warnings_of(config),
              (std::vector<std::string>{"bootstrap.users: Patroni 4 removed it; the users are "
                                        "created, but post_bootstrap is the lasting way",
                                        "postgresql.archive_mode: unknown key, ignored; did you "
                                        "mean postgresql.parameters.archive_mode?",
                                        "postgresql.archive_command: unknown key, ignored; did you "
                                        "mean postgresql.parameters.archive_command?",
                                        "postgresql.authentication.parameters: unknown key, "
                                        "ignored; did you mean postgresql.parameters?"}));
    EXPECT_EQ(config.warnings.at(1).line, 46);
    EXPECT_NE(config.warnings.at(1).text().find("pgvm3-patroni1.yml:46: "), std::string::npos);
}

TEST(AgentConfig, PrefixHasNoDoubleSlash) {
    EXPECT_EQ(load_agent_config(walkthrough("pgvm1-patroni"), Purpose::agent)->prefix(),
              "/pg_cluster/postgres/");
}

TEST(AgentConfig, DefaultsFollowPatroni) {
    const auto config = parse().value();
    EXPECT_EQ(config.prefix(), "/service/demo/");
    EXPECT_EQ(config.state_dir, "/data.howdah");
    EXPECT_EQ(config.postgresql.connect_address.text(), "127.0.0.1:5432");
    EXPECT_TRUE(warnings_of(config).empty());
}

TEST(AgentConfig, TypoNamesTheNearestKey) {
    const auto config = parse("bootstap: {}\n").value();
    EXPECT_EQ(warnings_of(config).at(0), "bootstap: unknown key, ignored; did you mean bootstrap?");
}

/// A member may run with it today.
TEST(AgentConfig, ABrokenLineOfPgHbaIsToldAndKeepsNoAgentFromStarting) {
    EXPECT_EQ(warnings_of(*parse("bootstrap: {pg_hba: [hostt all all all md5]}\n")),
              std::vector<std::string>{
                  "bootstrap.pg_hba: line \"hostt all all all md5\": invalid connection type "
                  "\"hostt\"; PostgreSQL refuses the whole file"});
}

TEST(AgentConfig, LinesThatLockTheAgentsOutAreTold) {
    const std::string file = R"(
scope: demo
name: n1
restapi: {listen: 127.0.0.1:8008}
etcd3: {hosts: ["127.0.0.1:2379"]}
postgresql:
  listen: 127.0.0.1:5432
  data_dir: /data
  authentication: {replication: {username: replicator}}
  pg_hba: [host all all all md5)";
    const auto judged = [&](const std::string& more) {
        return warnings_of(*parse_agent_config(file + more + "]\n", "f.yml", Purpose::agent));
    };
    EXPECT_EQ(judged(""), std::vector<std::string>{
                              "postgresql.pg_hba: it locks out the user replicator for "
                              "replication, from another member: no line lets it in; one that "
                              "would: host replication replicator samenet scram-sha-256"});
    EXPECT_TRUE(judged(", host replication all 10.0.0.0/8 md5").empty());
}

TEST(AgentConfig, WhatHasNoEffectIsNamedAndWhatDoesHarmIsRefused) {
    EXPECT_EQ(warnings_of(*parse("watchdog: {mode: off, driver: x}\nthread_pool_size: 5\n")),
              (std::vector<std::string>{"watchdog.driver: has no effect: there is one driver",
                                        "thread_pool_size: has no effect: there is no pool of "
                                        "threads"}));
    EXPECT_EQ(parse("tags: {nostream: true}\n").error().message,
              "f.yml:10: tags.nostream: is not supported: this member would stream all the same, "
              "and count for synchronous replication; remove it");
    EXPECT_TRUE(parse("tags: {nostream: false, clonefrom: false}\n"));
    EXPECT_TRUE(parse("tags: {nostream: true}\n", Purpose::operator_verb));
    EXPECT_FALSE(parse("consul: {host: x}\n", Purpose::operator_verb));
    auto text = std::string(minimal);
    text.replace(text.find("[\"127.0.0.1:2379\"]"), 18, "[127.0.0.1:2379], srv: example.org");
    EXPECT_NE(parse_agent_config(text, "f.yml", Purpose::proxy)
                  .error()
                  .message.find("etcd3.srv: is not supported: endpoints are not looked up in DNS"),
              std::string::npos);
}

TEST(AgentConfig, WhatDoesHarmInTheStoreIsToldBeforeAClusterIsMade) {
    const auto config = parse(
        "bootstrap:\n  dcs: {retry_timeout: 20, lop_wait: 1,\n"
        "    slots: {a: {type: physical}}}\n");
    ASSERT_TRUE(config);
    const auto warnings = warnings_of(*config);
    ASSERT_EQ(warnings.size(), 3);
    EXPECT_EQ(
        warnings[0],
        "bootstrap.dcs.lop_wait: unknown key, ignored; did you mean bootstrap.dcs.loop_wait?");
    EXPECT_TRUE(warnings[2].starts_with("bootstrap.dcs.slots: is not supported: ")) << warnings[2];
    EXPECT_TRUE(warnings[2].ends_with("; no cluster is made with it")) << warnings[2];
}

TEST(AgentConfig, WrongTypeNamesFileLineAndKey) {
    const auto error = parse("tags: [1]\n").error();
    EXPECT_EQ(error.message, "f.yml:10: tags: must be a mapping, not a list");
    EXPECT_FALSE(error.hint.empty());
}

TEST(AgentConfig, BadPortNamesTheValue) {
    auto text = std::string(minimal);
    text.replace(text.find("127.0.0.1:8008"), 14, "127.0.0.1:80o8");
    const auto error = parse_agent_config(text, "f.yml", Purpose::agent).error();
    EXPECT_NE(error.message.find("f.yml:4: restapi.listen: \"127.0.0.1:80o8\""), std::string::npos)
        << error.message;
}

TEST(AgentConfig, BrokenYamlNamesTheLine) {
    EXPECT_NE(parse("a: [\n").error().message.find("not valid YAML"), std::string::npos);
}

TEST(AgentConfig, MissingStoreIsAnErrorWithAHint) {
    auto text = std::string(minimal);
    text.erase(text.find("etcd3"), text.find("postgresql") - text.find("etcd3"));
    const auto error = parse_agent_config(text, "f.yml", Purpose::agent).error();
    EXPECT_NE(error.message.find("no configuration store"), std::string::npos);
    EXPECT_NE(error.hint.find("etcd3"), std::string::npos);
}

TEST(AgentConfig, EtcdHostsMayBeAListOrText) {
    auto text = std::string(minimal);
    text.replace(text.find("[\"127.0.0.1:2379\"]"), 18, "'10.0.0.1:1,10.0.0.2'");
    const auto hosts = parse_agent_config(text, "f.yml", Purpose::agent).value().etcd->hosts;
    EXPECT_EQ(hosts.at(0).text(), "10.0.0.1:1");
    EXPECT_EQ(hosts.at(1).text(), "10.0.0.2:2379");
}

TEST(AgentConfig, EmptyTagsAreNotPublished) {
    EXPECT_EQ(load_agent_config(walkthrough("pgvm1-patroni"), Purpose::agent)->tags_json, "");
    EXPECT_EQ(parse("tags: {zone: a, nofailover: true}\n")->tags_json,
              R"({"zone":"a","nofailover":true})");
}

TEST(AgentConfig, ThePriorityOfNothingForbidsToLeadAndAFlagBeatsIt) {
    EXPECT_TRUE(parse("tags: {failover_priority: 0}\n")->nofailover);
    EXPECT_EQ(parse("tags: {failover_priority: 3}\n")->failover_priority, 3);
    const auto both = parse("tags: {nofailover: false, failover_priority: 0, nosync: false}\n");
    EXPECT_FALSE(both->nofailover);
    EXPECT_EQ(both->tags_json, R"({"nofailover":false,"failover_priority":0})");
    EXPECT_EQ(warnings_of(*both),
              (std::vector<std::string>{"tags.failover_priority: is 0, but nofailover is false: "
                                        "nofailover counts"}));
    EXPECT_TRUE(parse("tags: {nofailover: 'true'}\n")->nofailover);
    EXPECT_FALSE(parse("tags: {nofailover: perhaps}\n"));
}

TEST(AgentConfig, ProxyNeedsItsSection) {
    EXPECT_NE(parse("", Purpose::proxy).error().message.find("proxy: is missing"),
              std::string::npos);
    EXPECT_EQ(parse("proxy: {listen: '127.0.0.1:5000'}\n", Purpose::proxy)->proxy->read_write->port,
              5000);
}

TEST(AgentConfig, BadValueInBootstrapDcsNamesLineKeyAndRange) {
    const auto error = parse(
                           "bootstrap:\n  dcs:\n    postgresql:\n      parameters:\n        "
                           "max_connections: 10\n")
                           .error();
    EXPECT_TRUE(
        error.message.contains("bootstrap.dcs.postgresql.parameters.max_connections: 10 is "
                               "below the minimum of 25"))
        << error.message;
    EXPECT_TRUE(error.message.starts_with("f.yml:14: ")) << error.message;
}

TEST(AgentConfig, CustomBootstrapIsReadWithItsCommandAndParameters) {
    const auto config = parse(R"(
bootstrap:
  method: from_backup
  from_backup:
    command: /bin/restore --target='2026-11-30 12:00:00' now
    stanza: main
    recovery_conf: {recovery_target_time: "2026-11-30 12:00:00", recovery_target_action: promote}
)");
    ASSERT_TRUE(config) << config.error().message;
    const auto& method = config->bootstrap->method;
    ASSERT_TRUE(method);
    EXPECT_EQ(method->command,
              (std::vector<std::string>{"/bin/restore", "--target=2026-11-30 12:00:00", "now"}));
    EXPECT_EQ(method->parameters, std::vector<std::string>{"--stanza=main"});
    EXPECT_EQ(method->recovery_conf.at("recovery_target_action"), "promote");
    EXPECT_FALSE(method->no_params || method->keep_existing_recovery_conf);
    EXPECT_TRUE(warnings_of(*config).empty()) << warnings_of(*config).front();
}

TEST(AgentConfig, CustomBootstrapWithoutACommandIsRefusedAsItWouldMakeAnEmptyCluster) {
    const auto error = parse("bootstrap: {method: from_backup, dcs: {}}\n").error();
    EXPECT_NE(error.message.find("bootstrap.from_backup has no command"), std::string::npos)
        << error.message;
    EXPECT_FALSE(parse("bootstrap: {method: initdb}\n")->bootstrap->method);
}

TEST(EffectivePostgresql, ReplicaMethodsComeInTheirOrderWithTheirParameters) {
    std::string text = minimal;
    text +=
        "  create_replica_methods: [pgbackrest, basebackup, /bin/copy]\n"
        "  pgbackrest: {command: restore --delta, no_params: true, keep_data: true, a: 1}\n";
    const auto config = parse_agent_config(text, "f.yml", Purpose::agent);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_TRUE(warnings_of(*config).empty());
    const auto effective = effective_postgresql(*config, {}, 15).value();
    const auto& methods = effective.replica_methods;
    ASSERT_EQ(methods.size(), 3U);
    EXPECT_EQ(methods[0].command, "restore --delta");
    EXPECT_TRUE(methods[0].no_params);
    EXPECT_EQ(methods[0].parameters, std::vector<std::string>{"--a=1"});
    EXPECT_EQ(methods[1].command, "");
    EXPECT_EQ(methods[2].command, "/bin/copy");
    ASSERT_EQ(effective.warnings.size(), 1U);
    EXPECT_NE(effective.warnings[0].find("keep_data"), std::string::npos);
}

TEST(DynamicConfig, OriginAndWhatItMayArchiveIntoAreRead) {
    const auto read = parse_dynamic_config(R"({"howdah":{"origin":["main"],"archive_into":"m2"}})");
    EXPECT_EQ(read->origin->stanzas, std::vector<std::string>{"main"});
    EXPECT_EQ(read->archive_into, "m2");
    EXPECT_FALSE(parse_dynamic_config("{}")->origin);
    EXPECT_TRUE(parse_dynamic_config(R"({"howdah":{"origin":[]}})")->origin);
}

TEST(DynamicConfig, WalkthroughKeepsItsTtlOfThirtySeconds) {
    const auto config = load_agent_config(walkthrough("pgvm1-patroni"), Purpose::agent).value();
    const auto dynamic = parse_dynamic_config(config.bootstrap->dcs_json).value();
    EXPECT_EQ(dynamic.lease.ttl, 30s);
    EXPECT_EQ(dynamic.maximum_lag_on_failover, 1048576U);
}

TEST(DynamicConfig, NothingGivenMeansTheDefaultProfile) {
    EXPECT_EQ(parse_dynamic_config("{}")->lease.ttl, 5s);
    EXPECT_EQ(parse_dynamic_config(R"({"howdah":{"lease":"lan-fast"}})")->lease.ttl, 2s);
}

TEST(DynamicConfig, BadValueNamesKeyAndRange) {
    const auto error = parse_dynamic_config(R"({"loop_wait":0})").error();
    EXPECT_EQ(error.message, "loop_wait: 0 is not a number of 1 or more");
}

TEST(EffectivePostgresql, ConvertsWalKeepSegmentsFromVersion13On) {
    const auto config = load_agent_config(walkthrough("pgvm1-patroni"), Purpose::agent).value();
    const auto dynamic = parse_dynamic_config(config.bootstrap->dcs_json).value();
    const auto now = effective_postgresql(config, dynamic, 15).value();
    EXPECT_EQ(now.parameters.at("wal_keep_size"), "320MB");
    EXPECT_FALSE(now.parameters.contains("wal_keep_segments"));
    EXPECT_EQ(now.warnings.size(), 1U);
    EXPECT_EQ(effective_postgresql(config, dynamic, 12)->parameters.at("wal_keep_segments"), "20");
    EXPECT_EQ(now.controlled.at("max_wal_senders"), "8");
    EXPECT_TRUE(now.use_pg_rewind);
}

TEST(EffectivePostgresql, LocalParametersWinButControlledOnesComeFromTheStore) {
    auto config = parse().value();
    config.postgresql.local_json = R"({"parameters":{"work_mem":"8MB","max_connections":500}})";
    DynamicConfig dynamic{.postgresql_json =
                              R"({"parameters":{"work_mem":"4MB","max_connections":7}})"};
    const auto effective = effective_postgresql(config, dynamic, 15).value();
    EXPECT_EQ(effective.parameters.at("work_mem"), "8MB");
    EXPECT_EQ(effective.parameters.at("max_connections"), "100");
    EXPECT_EQ(effective.warnings.size(), 1U);
}

TEST(EffectivePostgresql, NoParameterLeadsToAnotherServer) {
    auto config = parse().value();
    const auto& dir = config.postgresql.data_dir;
    config.postgresql.local_json =
        R"({"parameters":{"data_directory":")" + dir + R"(/","ident_file":"/etc/pg_ident.conf"}})";
    DynamicConfig dynamic{
        .postgresql_json =
            R"({"parameters":{"config_file":"/x/postgresql.conf","external_pid_file":"/x/pid"}})"};
    const auto effective = effective_postgresql(config, dynamic, 15).value();
    for (const auto* name : {"data_directory", "config_file", "ident_file", "external_pid_file"}) {
        EXPECT_FALSE(effective.parameters.contains(name)) << name;
    }
    ASSERT_EQ(effective.warnings.size(), 3U) << "the same directory is not worth a word";
    EXPECT_TRUE(effective.warnings[0].starts_with("postgresql.parameters.config_file: /x/"))
        << effective.warnings[0];
}

TEST(AgentConfig, AnotherDataDirectoryAmongTheParametersIsTold) {
    const auto dir = parse()->postgresql.data_dir;
    auto text = std::string(minimal);
    const auto at = text.find("  data_dir:");
    ASSERT_NE(at, std::string::npos);
    text.insert(at, "  parameters: {data_directory: /somewhere/else}\n");
    const auto told = warnings_of(parse_agent_config(text, "f.yml", Purpose::agent).value());
    ASSERT_EQ(told.size(), 1U);
    EXPECT_TRUE(told.front().starts_with("postgresql.parameters.data_directory: ignored"));
    text.replace(text.find("/somewhere/else"), 15, dir + "/");
    EXPECT_TRUE(warnings_of(parse_agent_config(text, "f.yml", Purpose::agent).value()).empty());
}

TEST(EffectivePostgresql, NoBackendRestartsBehindTheAgentsBack) {
    auto config = parse().value();
    config.postgresql.local_json = R"({"parameters":{"restart_after_crash":"on"}})";
    DynamicConfig dynamic{.postgresql_json = R"({"parameters":{"restart_after_crash":true}})"};
    const auto effective = effective_postgresql(config, dynamic, 15).value();
    EXPECT_EQ(effective.parameters.at("restart_after_crash"), "off");
    EXPECT_EQ(effective.controlled.at("restart_after_crash"), "off");
    EXPECT_EQ(effective.warnings.size(), 1U);
    dynamic.postgresql_json = R"({"parameters":{"restart_after_crash":"no"}})";
    EXPECT_TRUE(effective_postgresql(config, dynamic, 15)->warnings.empty());
}

}  // namespace
}  // namespace howdah::config
