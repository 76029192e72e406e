#include "backup/options/options.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "backup/options/exit_code.h"
#include "backup/options/option_table.h"

namespace howdah::backup {
namespace {

const ConfigText walkthrough{.file = "pgbackrest.conf",
                             .text =
                                 "# of the walkthrough\n"
                                 "[global]\n"
                                 "repo1-path=/var/lib/pgbackrest\n"
                                 "compress-type = zst\n"
                                 "process-max=2\n"
                                 "[global:backup]\n"
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
    EXPECT_EQ(read({"--stanza=demo", "restore"}).process_max, 2U);
    EXPECT_EQ(read({"--stanza=demo", "backup"}).process_max, 3U);
    const auto push = read({"--stanza=demo", "archive-push", "pg_wal/1"});
    EXPECT_EQ(push.compress, repo::CompressType::zst);
    EXPECT_EQ(push.compress_level, 9);
    EXPECT_EQ(push.arguments, std::vector<std::string>{"pg_wal/1"});
    EXPECT_EQ(push.cluster()->path, "/var/lib/postgresql/15/main");
    EXPECT_EQ(read({"--stanza=demo", "backup"}, {{"PGBACKREST_PROCESS_MAX", "4"}}).process_max, 4U);
    EXPECT_EQ(
        read({"--process-max=5", "--stanza", "demo", "backup"}, {{"PGBACKREST_PROCESS_MAX", "4"}})
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
    EXPECT_EQ(refused({"--stanza=demo", "backup", "--proces-max=2"}).message,
              "command line: there is no option 'proces-max'; did you mean 'process-max'?");
    EXPECT_EQ(refused({"--stanza=demo", "backup", "--process-max=0"}).message,
              "command line: '0' is no value of option 'process-max'");
    EXPECT_EQ(refused({"--stanza=demo", "backup"}, "[global]\nprocess-max=many\n").message,
              "f.conf:2: 'many' is no value of option 'process-max'");
    EXPECT_EQ(refused({"--stanza=demo", "backup"}, "[global]\npg1-path=/data\n").message,
              "f.conf:2: option 'pg1-path' belongs to one stanza");
    EXPECT_EQ(refused({"--stanza=demo", "backup"}, "[global]\nnonsense\n").message,
              "f.conf:2: \"nonsense\" is neither a section nor key=value");
    EXPECT_EQ(refused({"--stanza=..", "backup"}).code, Errc::invalid);
    EXPECT_EQ(refused({"--stanza=a", "--stanza=b", "backup"}).message,
              "option 'stanza' cannot be set multiple times");
}

TEST(BackupOptions, SecretsAreNotTakenFromTheCommandLine) {
    EXPECT_EQ(refused({"--stanza=demo", "backup", "--repo1-cipher-pass=secret"}).message,
              "option 'repo1-cipher-pass' is a secret: the command line shows it to all");
    EXPECT_EQ(
        refused({"--stanza=demo", "backup"}, "[global]\nrepo1-cipher-type=aes-256-cbc\n").hint,
        "allowed: the pass phrase of the repository");
}

TEST(BackupOptions, UnknownOnesInFilesAndEnvironmentAreWarnings) {
    const auto options = read({"--stanza=demo", "info"}, {{"PGBACKREST_BIN", "/usr/bin/x"}});
    ASSERT_EQ(options.warnings.size(), 1U);
    EXPECT_TRUE(
        options.warnings[0].starts_with("environment PGBACKREST_BIN: there is no option 'bin'"))
        << options.warnings[0];
}

TEST(BackupOptions, SizesAndTimesTakeUnits) {
    const auto options =
        read({"backup", "--repo1-bundle-size=1GiB", "--repo1-bundle-limit=4KB",
              "--manifest-save-threshold=12345", "--archive-timeout=90", "--db-timeout=2h"});
    EXPECT_EQ(options.repository(1).bundle_size, std::uint64_t{1} << 30);
    EXPECT_EQ(options.repository(1).bundle_limit, 4096U);
    EXPECT_EQ(options.backup.manifest_save_threshold, 12345U);
    EXPECT_EQ(options.backup.archive_timeout, Seconds(90));
    EXPECT_EQ(options.backup.db_timeout, std::chrono::hours(2));
    EXPECT_EQ(refused({"backup", "--repo1-bundle-size=20 apples"}).hint, "allowed: a size as 2MiB");
    EXPECT_EQ(refused({"backup", "--archive-timeout=soon"}).hint, "allowed: a time as 90s or 1m");
}

TEST(BackupOptions, AnotherProcessOfACommandHasItsSectionsAndItsWords) {
    const auto first = read({"--stanza=demo", "archive-push", "--archive-push-queue-max=1GiB", "x",
                             "--no-archive-header-check", "--spool-path", "/spool"});
    EXPECT_FALSE(first.in_background);
    EXPECT_EQ(first.archive.push_queue_max, std::uint64_t{1} << 30);
    auto words = first.option_words;
    words.emplace_back("archive-push:async");
    const auto second = read(words);
    EXPECT_TRUE(second.in_background);
    EXPECT_EQ(second.command, "archive-push");
    EXPECT_EQ(second.compress_level, 9);
    EXPECT_EQ(second.archive.spool_path, "/spool");
    EXPECT_FALSE(second.archive_header_check);
    EXPECT_EQ(second.option_words, first.option_words);
}

bool has(const std::vector<std::string>& all, const std::string& word) {
    return std::ranges::find(all, word) != all.end();
}

TEST(BackupOptions, WhatIsGivenIsRepeatedWithoutSecrets) {
    const auto options = read({"backup", "--stanza=demo", "--no-online", "--exclude=a b"},
                              {{"PGBACKREST_REPO1_CIPHER_PASS", "secret"}});
    const auto& given = options.given;
    EXPECT_TRUE(has(given, "--no-online"));
    EXPECT_TRUE(has(given, "--exclude=\"a b\""));
    EXPECT_TRUE(has(given, "--repo1-cipher-pass=<redacted>"));
    EXPECT_TRUE(has(given, "--compress-type=zst"));
}

Options from_file(const std::string& text, std::vector<std::string> words) {
    auto options =
        read_options({.words = std::move(words), .files = {{.file = "f.conf", .text = text}}});
    EXPECT_TRUE(options) << options.error().message;
    return options ? *options : Options{};
}

TEST(BackupOptions, AStanzaMayHaveANameThatBeginsAsGlobal) {
    const auto options =
        from_file("[global_qa]\npg1-path=/data\n", {"--stanza=global_qa", "backup"});
    EXPECT_EQ(options.cluster()->path, "/data");
}

TEST(BackupOptions, OneKeyTwiceInASectionIsRefused) {
    const std::string text = "[demo]\npg1-path=/first\npg1-path=/second\n";
    EXPECT_EQ(refused({"--stanza=demo", "restore"}, text).message,
              "f.conf:3: option 'pg1-path' cannot be set multiple times");
    const auto lists = from_file("[demo]\nexclude=a\nexclude=b\n[global]\nexclude=c\n",
                                 {"--stanza=demo", "backup"});
    EXPECT_EQ(lists.backup.excludes, (std::vector<std::string>{"a", "b"}));
}

TEST(BackupOptions, ABadValueMattersToTheCommandThatUsesIt) {
    const std::string text = "[global]\ncompress-level=1   # kept low\n";
    EXPECT_EQ(refused({"--stanza=demo", "backup"}, text).hint, "allowed: a number from -1 to 9");
    (void)from_file(text, {"--stanza=demo", "restore"});
    (void)from_file(text, {"--stanza=demo", "info"});
}

TEST(BackupOptions, OptionsOfTheCommandLineAloneDoNotCountInAFile) {
    const auto options =
        from_file("[global]\nforce=y\n[global:backup]\nlink-all=y\n", {"--stanza=demo", "backup"});
    EXPECT_FALSE(options.force);
    EXPECT_EQ(options.warnings,
              (std::vector<std::string>{
                  "f.conf:4: option 'link-all' is none of section 'global:backup'",
                  "f.conf:2: option 'force' belongs on the command line: it is not used"}));
}

TEST(BackupOptions, ListsInTheEnvironmentAreJoinedByColons) {
    const auto options = read({"--stanza=demo", "backup"}, {{"PGBACKREST_EXCLUDE", "a:b"}});
    EXPECT_EQ(options.backup.excludes, (std::vector<std::string>{"a", "b"}));
}

TEST(BackupOptions, ACommandThatIsNotThereIsNamed) {
    EXPECT_EQ(refused({"--stanza=demo", "bakup"}).message,
              "there is no command 'bakup'; did you mean 'backup'?");
    EXPECT_EQ(refused({"--stanza=demo"}).message, "no command found");
}

// ---- every option with every command

/// Some value of an option that is not its default.
std::vector<std::string> values_of(const OptionFacts& option, const std::string& command) {
    static const std::map<std::string_view, std::string> special{
        {"compress-type", "zst"},
        {"log-level-console", "info"},
        {"log-level-file", "debug"},
        {"log-level-stderr", "error"},
        {"backup-standby", "prefer"},
        {"output", "json"},
        {"sort", "desc"},
        {"archive-mode", "off"},
        {"target-action", "shutdown"},
        {"repo-retention-full-type", "time"},
        {"repo-type", "cifs"},
        {"repo-retention-archive-type", "diff"},
        {"annotation", "a=b"},
        {"link-map", "a=/b"},
        {"tablespace-map", "a=/b"},
        {"recovery-option", "a=b"},
        {"repo-cipher-type", "aes-256-cbc"},
        {"stanza", "other"},
        {"repo-optional", "2"},
        {"repo-s3-key-type", "auto"},
        {"repo-s3-uri-style", "path"},
        {"repo-host-port", "1"},
        {"repo-host-type", "ssh"},
        {"pg-host-port", "1"},
        {"pg-host-type", "ssh"}};
    if (const auto found = special.find(option.name); found != special.end()) {
        return {found->second};
    }
    if (option.name == "type") {
        return {command == "restore" ? "standby" : "full"};
    }
    switch (option.kind) {
        case OptionKind::flag:
            return {"y", "n"};
        case OptionKind::number:
            return {"1", "2"};
        case OptionKind::size:
            return {"4MiB"};
        case OptionKind::time:
            return {"77s"};
        case OptionKind::text:
        case OptionKind::list:
            return {"/some/path"};
    }
    return {};
}

/// What the command is left with, less what tells only that the option was given.
Options outcome(const OptionFacts& option, const std::string& command,
                const std::optional<std::string>& value, bool on_command_line) {
    OptionSources sources{.words = {"--stanza=demo", command}};
    // A pass phrase alone does nothing, and neither does a cipher without one.
    sources.environment["PGBACKREST_REPO1_CIPHER_PASS"] = "secret";
    sources.environment["PGBACKREST_REPO1_CIPHER_TYPE"] = "aes-256-cbc";
    sources.environment["PGBACKREST_REPO1_PATH"] = "/repository";
    sources.environment["PGBACKREST_REPO2_PATH"] = "/other_repository";
    sources.environment["PGBACKREST_PG1_HOST"] = "elsewhere";
    const auto key = OptionKey{.facts = &option}.text();
    std::string variable = "PGBACKREST_" + key;
    std::ranges::transform(variable, variable.begin(),
                           [](char c) { return c == '-' ? '_' : static_cast<char>(toupper(c)); });
    if (option.name == "stanza") {
        sources.words = {command};
    }
    sources.environment.erase(variable);
    if (value && on_command_line) {
        sources.words.push_back("--" + key + "=" + *value);
    } else if (value) {
        sources.environment[variable] = *value;
    }
    auto options = read_options(sources);
    if (!options) {
        Options failed;
        failed.stanza = "refused: " + options.error().message;
        return failed;
    }
    options->given.clear();
    options->given_raw.clear();
    options->named.clear();
    options->words_to_repeat.clear();
    options->option_words.clear();
    return *options;
}

/// These say where the others are: option_sources.cpp reads them, and its test does.
bool says_where_options_are(const OptionFacts& option) {
    return option.name.starts_with("config");
}

/// An index, `pg1-host` and so on, may come to be by the option itself.
Options without_order(Options options) {
    options.warnings.clear();
    return options;
}

TEST(Options, ADataDirectoryOnTheCommandLineIsOnThisHost) {
    const auto cluster = [](const std::string& command, const std::string& word) {
        return read_options({.words = {"--stanza=main", command, word},
                             .files = {{.file = "f",
                                        .text = "[main]\npg1-host=elsewhere\npg1-path=/there\n"}}})
            .value()
            .cluster();
    };
    for (const auto* command : {"restore", "archive-get", "archive-push"}) {
        EXPECT_EQ(cluster(command, "--pg1-path=/here").value().path, "/here") << command;
        EXPECT_FALSE(cluster(command, "--log-timestamp")) << "pg1 is another host";
    }
    EXPECT_FALSE(cluster("backup", "--pg1-path=/here"));
}

TEST(OptionTable, EachOptionOfEachCommandIsInOneStateAndWhatIsHonouredIsRead) {
    for (const auto& option : all_options()) {
        EXPECT_EQ(option.missing & ~option.commands, 0U) << option.name;
        EXPECT_EQ(option.idle & ~option.commands, 0U) << option.name;
        EXPECT_EQ(option.idle & option.missing, 0U) << option.name;
        for (const auto& command : all_commands()) {
            const auto use = use_of(option, command);
            const auto before = outcome(option, command, std::nullopt, false);
            bool changes = false, warned = false;
            for (const auto& value : values_of(option, command)) {
                const auto after = outcome(option, command, value, false);
                changes = changes || without_order(after) != without_order(before);
                warned = warned || after.warnings.size() > before.warnings.size();
            }
            const auto what = fmt::format("{} of {}", option.name, command);
            EXPECT_EQ(changes, use == OptionUse::honoured && !says_where_options_are(option))
                << what;
            EXPECT_EQ(warned, use == OptionUse::missing) << what;
        }
    }
}

TEST(OptionTable, OnTheCommandLineNothingIsTakenThatDoesNothing) {
    for (const auto& option : all_options()) {
        for (const auto& command : all_commands()) {
            const auto use = use_of(option, command);
            const auto refused = outcome(option, command, values_of(option, command).front(), true)
                                     .stanza.starts_with("refused: ");
            const auto must =
                use == OptionUse::foreign || use == OptionUse::missing || option.secret;
            EXPECT_EQ(refused, must) << option.name << " of " << command;
        }
    }
}

}  // namespace
}  // namespace howdah::backup
