#include "cli/command_line.h"

#include <gtest/gtest.h>

namespace howdah::cli {
namespace {

CommandLine parsed(const std::vector<std::string>& words) {
    auto out = parse_command_line(words);
    const auto* leave = std::get_if<Leave>(&out);
    EXPECT_EQ(leave, nullptr) << (leave != nullptr ? leave->err : "");
    return leave == nullptr ? std::get<CommandLine>(out) : CommandLine{};
}

Leave refused(const std::vector<std::string>& words) {
    auto out = parse_command_line(words);
    EXPECT_TRUE(std::holds_alternative<Leave>(out));
    return std::get<Leave>(out);
}

TEST(CommandLine, TakesTheConfigurationBeforeOrAfterTheVerb) {
    EXPECT_EQ(parsed({"howdah", "-c", "x.yml", "list"}).config_file, "x.yml");
    EXPECT_EQ(parsed({"howdah", "list", "-c", "x.yml"}).config_file, "x.yml");
    EXPECT_EQ(parsed({"howdah", "dcs", "status", "-c", "x.yml"}).config_file, "x.yml");
}

TEST(CommandLine, BackupVerbsGetTheirWordsAsTheyAre) {
    const auto line = parsed({"howdah", "archive-get", "--stanza=demo", "0001", "pg_wal/X"});
    EXPECT_EQ(std::get<BackupCommand>(line.command).words,
              (std::vector<std::string>{"archive-get", "--stanza=demo", "0001", "pg_wal/X"}));
    EXPECT_EQ(line.verb, "archive-get");
}

TEST(CommandLine, ListTakesPatronictlsOptions) {
    const auto line =
        parsed({"/usr/bin/patronictl", "list", "demo", "-e", "-t", "-f", "json", "-W"});
    EXPECT_TRUE(line.as_patronictl);
    const auto& list = std::get<ListCommand>(line.command);
    EXPECT_EQ(list.clusters, std::vector<std::string>{"demo"});
    EXPECT_EQ(list.format, "json");
    EXPECT_TRUE(list.extended && list.timestamp);
    EXPECT_EQ(list.watch_seconds, 2.0);
    EXPECT_EQ(std::get<ListCommand>(parsed({"howdah", "list", "-w", "0.5"}).command).watch_seconds,
              0.5);
}

TEST(CommandLine, SwitchoverNamesLeaderAndCandidate) {
    const auto line =
        parsed({"howdah", "switchover", "--leader", "n1", "--candidate", "n2", "--force"});
    const auto& c = std::get<SwitchoverCommand>(line.command);
    EXPECT_EQ(line.verb, "switchover");
    EXPECT_EQ(c.leader, "n1");
    EXPECT_EQ(c.candidate, "n2");
    EXPECT_TRUE(c.force);
}

TEST(CommandLine, EditConfigTakesSettingsInTheirOrder) {
    const auto line = parsed({"howdah", "edit-config", "-s", "a=1", "-s", "b.c=null", "-p",
                              "work_mem=8MB", "demo", "--force", "-q"});
    const auto& c = std::get<EditConfigCommand>(line.command);
    EXPECT_EQ(c.set, (std::vector<std::string>{"a=1", "b.c=null"}));
    EXPECT_EQ(c.pg, std::vector<std::string>{"work_mem=8MB"});
    EXPECT_EQ(c.cluster, "demo");
    EXPECT_TRUE(c.force && c.quiet);
}

TEST(CommandLine, QueryHasAnOptionCOfItsOwn) {
    const auto line = parsed({"patronictl", "-c", "x.yml", "query", "demo", "-c", "select 1", "-d",
                              "postgres", "-r", "replica"});
    EXPECT_EQ(line.config_file, "x.yml");
    const auto& c = std::get<QueryCommand>(line.command);
    EXPECT_EQ(c.sql, "select 1");
    EXPECT_EQ(c.database, "postgres");
    EXPECT_EQ(c.role, "replica");
    EXPECT_EQ(c.format, "tsv");
}

TEST(CommandLine, PauseAndResumeAreOneCommand) {
    EXPECT_TRUE(std::get<PauseCommand>(parsed({"howdah", "pause", "--wait"}).command).pause);
    EXPECT_FALSE(std::get<PauseCommand>(parsed({"howdah", "resume"}).command).pause);
    EXPECT_EQ(parsed({"howdah", "-d", "etcd3://h:1/ns", "resume"}).dcs_url, "etcd3://h:1/ns");
}

TEST(CommandLine, BadRoleIsAUsageError) {
    EXPECT_EQ(refused({"howdah", "dsn", "-r", "nonsense"}).code, 2);
    EXPECT_EQ(refused({"howdah", "remove"}).code, 2);
}

TEST(CommandLine, UpHasItsDefaults) {
    const auto up = std::get<UpCommand>(parsed({"howdah", "up"}).command);
    EXPECT_EQ(up.etcd_members, 3);
    EXPECT_EQ(up.sync, "off");
    EXPECT_EQ(up.profile, "default");
    EXPECT_FALSE(up.detach);
    const auto other = parsed(
        {"howdah", "up", "--detach", "--dir", "/tmp/d", "--etcd", "1", "--profile", "lan-fast"});
    EXPECT_EQ(std::get<UpCommand>(other.command).etcd_members, 1);
    EXPECT_EQ(std::get<UpCommand>(other.command).profile, "lan-fast");
}

TEST(CommandLine, AnUnknownVerbIsUsageAndNamesTheNearest) {
    const auto leave = refused({"howdah", "-c", "x.yml", "lsit"});
    EXPECT_EQ(leave.code, 2);
    EXPECT_EQ(leave.err, "howdah: no verb 'lsit'\nhint: did you mean 'list'?\n");
    EXPECT_EQ(refused({"howdah", "frobnicate"}).err,
              "howdah: no verb 'frobnicate'\nhint: howdah --help lists the verbs\n");
}

TEST(CommandLine, UsageErrorsLeaveWithTwo) {
    EXPECT_EQ(refused({"howdah"}).code, 2);
    EXPECT_EQ(refused({"howdah", "list", "--nosuch"}).code, 2);
    EXPECT_EQ(refused({"howdah", "agent", "a.yml", "b.yml"}).code, 2);
    EXPECT_EQ(refused({"howdah", "up", "--etcd", "2"}).code, 2);
    EXPECT_TRUE(refused({"howdah", "list", "-f", "xml"}).err.starts_with("howdah list: "));
}

TEST(CommandLine, HelpGoesToStdoutInGroups) {
    const auto leave = refused({"howdah", "--help"});
    EXPECT_EQ(leave.code, 0);
    EXPECT_TRUE(leave.err.empty());
    for (const auto* words :
         {"Run a cluster", "Look at it and change it", "Try it on this machine", "switchover"}) {
        EXPECT_TRUE(leave.out.contains(words)) << leave.out;
    }
}

TEST(CommandLine, KnowsPatronisNameAndArguments) {
    const auto agent = parsed({"/usr/bin/patroni", "/etc/patroni.yml"});
    EXPECT_EQ(std::get<AgentCommand>(agent.command).file, "/etc/patroni.yml");
    EXPECT_EQ(std::get<AgentCommand>(parsed({"patroni"}).command).file, "");
    const auto check = parsed({"patroni", "--validate-config", "-i", "x.yml"});
    EXPECT_EQ(std::get<ConfigCommand>(check.command).file, "x.yml");
    EXPECT_TRUE(std::get<ConfigCommand>(check.command).ignore_ports);
    EXPECT_EQ(refused({"patroni", "--version"}).out, "patroni 4.1.4\n");
    EXPECT_EQ(refused({"patroni", "--nosuch"}).code, 2);
}

TEST(CommandLine, RestartReinitFlushAndFailoverTakePatronictlsOptions) {
    const auto restart = std::get<RestartCommand>(
        parsed({"patronictl", "restart", "demo", "n1", "n2", "-r", "replica", "--any", "--pending",
                "--pg-version", "15.9", "--timeout", "30", "--force"})
            .command);
    EXPECT_EQ(restart.of.members, (std::vector<std::string>{"n1", "n2"}));
    EXPECT_EQ(restart.of.role, "replica");
    EXPECT_EQ(restart.below_version, "15.9");
    EXPECT_TRUE(restart.any && restart.pending && restart.of.force);
    const auto reinit = std::get<ReinitCommand>(
        parsed({"patronictl", "reinit", "demo", "n3", "--wait", "--from-leader"}).command);
    EXPECT_EQ(reinit.of.role, "replica");
    EXPECT_TRUE(reinit.wait && reinit.from_leader);
    const auto flush =
        std::get<FlushCommand>(parsed({"patronictl", "flush", "demo", "n1", "restart"}).command);
    EXPECT_EQ(flush.target, "restart");
    EXPECT_EQ(flush.of.members, std::vector<std::string>{"n1"});
    EXPECT_EQ(refused({"patronictl", "flush", "demo", "n1"}).code, 2);
    EXPECT_EQ(refused({"patronictl", "restart"}).code, 2);
    const auto failover = std::get<SwitchoverCommand>(
        parsed({"patronictl", "failover", "--candidate", "n2", "--force"}).command);
    EXPECT_TRUE(failover.failover);
    EXPECT_EQ(failover.candidate, "n2");
}

}  // namespace
}  // namespace howdah::cli
