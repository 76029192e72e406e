#include "backup/options.h"

#include <gtest/gtest.h>

namespace howdah::backup {
namespace {

const ConfigText walkthrough{.file = "pgbackrest.conf",
                             .text =
                                 "# of the walkthrough\n"
                                 "[global]\n"
                                 "repo1-path=/var/lib/pgbackrest\n"
                                 "compress-type = zst\n"
                                 "process-max=2\n"
                                 "[global:archive-push]\n"
                                 "process-max=3\n"
                                 "[demo]\n"
                                 "pg1-path=/var/lib/postgresql/15/main\n"
                                 "[demo:archive-push]\n"
                                 "compress-level=9\n"};

Options read(std::vector<std::string> words, std::map<std::string, std::string> environment = {}) {
    auto options = read_options(
        {.words = std::move(words), .environment = std::move(environment), .files = {walkthrough}});
    EXPECT_TRUE(options) << options.error().message;
    return options ? *options : Options{};
}

Error refused(std::vector<std::string> words, std::string text = walkthrough.text) {
    const auto options = read_options(
        {.words = std::move(words), .files = {{.file = "f.conf", .text = std::move(text)}}});
    EXPECT_FALSE(options);
    return options ? Error{} : options.error();
}

TEST(BackupOptions, TheNearestSectionWinsAndTheCommandLineOverAll) {
    EXPECT_EQ(read({"--stanza=demo", "archive-get"}).process_max, 2U);
    const auto push = read({"--stanza=demo", "archive-push", "pg_wal/1"});
    EXPECT_EQ(push.process_max, 3U);
    EXPECT_EQ(push.compress, repo::CompressType::zst);
    EXPECT_EQ(push.compress_level, 9);
    EXPECT_EQ(push.arguments, std::vector<std::string>{"pg_wal/1"});
    EXPECT_EQ(push.cluster()->path, "/var/lib/postgresql/15/main");
    EXPECT_EQ(
        read({"--stanza=demo", "archive-push"}, {{"PGBACKREST_PROCESS_MAX", "4"}}).process_max, 4U);
    EXPECT_EQ(read({"--process-max=5", "--stanza", "demo", "archive-push"},
                   {{"PGBACKREST_PROCESS_MAX", "4"}})
                  .process_max,
              5U);
}

TEST(BackupOptions, FlagsAreTurnedOffByNo) {
    EXPECT_TRUE(read({"--stanza=demo", "archive-push"}).archive_header_check);
    EXPECT_FALSE(
        read({"--stanza=demo", "--no-archive-header-check", "archive-push"}).archive_header_check);
}

TEST(BackupOptions, RepositoriesAreNumbered) {
    const auto options = read({"--stanza=demo", "info", "--repo3-path=/three", "--repo=3"});
    ASSERT_EQ(options.repositories.size(), 2U);
    EXPECT_EQ(options.repositories[1].index, 3U);
    EXPECT_EQ(options.repositories[1].path, "/three");
    EXPECT_EQ(options.repo, 3U);
}

TEST(BackupOptions, WhatIsWrongIsNamedWithItsPlace) {
    EXPECT_EQ(refused({"--stanza=demo", "x", "--proces-max=2"}).message,
              "command line: there is no option 'proces-max'; did you mean 'process-max'?");
    EXPECT_EQ(refused({"--stanza=demo", "x", "--process-max=0"}).message,
              "command line: '0' is no value of option 'process-max'");
    EXPECT_EQ(refused({"--stanza=demo", "x"}, "[global]\nprocess-max=many\n").message,
              "f.conf:2: 'many' is no value of option 'process-max'");
    EXPECT_EQ(refused({"--stanza=demo", "x"}, "[global]\npg1-path=/data\n").message,
              "f.conf:2: option 'pg1-path' belongs to one stanza");
    EXPECT_EQ(refused({"--stanza=demo", "x"}, "[global]\nnonsense\n").message,
              "f.conf:2: \"nonsense\" is neither a section nor key=value");
    EXPECT_EQ(refused({"--stanza=..", "x"}).code, Errc::invalid);
    EXPECT_EQ(refused({"--stanza=a", "--stanza=b", "x"}).message, "option 'stanza' is given twice");
}

TEST(BackupOptions, SecretsAreNotTakenFromTheCommandLine) {
    EXPECT_EQ(refused({"--stanza=demo", "x", "--repo1-cipher-pass=secret"}).message,
              "option 'repo1-cipher-pass' is a secret: the command line shows it to all");
    EXPECT_EQ(refused({"--stanza=demo", "x"}, "[global]\nrepo1-cipher-type=aes-256-cbc\n").hint,
              "allowed: the pass phrase of the repository");
}

TEST(BackupOptions, UnknownOnesInFilesAndEnvironmentAreWarnings) {
    const auto options = read({"--stanza=demo", "info"}, {{"PGBACKREST_BIN", "/usr/bin/x"}});
    ASSERT_EQ(options.warnings.size(), 1U);
    EXPECT_TRUE(
        options.warnings[0].starts_with("environment PGBACKREST_BIN: there is no option 'bin'"))
        << options.warnings[0];
}

}  // namespace
}  // namespace howdah::backup
