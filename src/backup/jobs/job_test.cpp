#include "backup/jobs/job.h"

#include <gtest/gtest.h>

namespace howdah::backup {
namespace {

using Words = std::vector<std::string>;

TEST(Job, OnlyVerbsOfTheListAndHarmlessOptionsAreRun) {
    EXPECT_TRUE(check_job("backup", {"--type=full", "--delta=n", "--repo2-bundle=y", "--repo=2"}));
    for (const auto* verb : {"restore", "repo-rm", "stanza-delete", "stop", "", "backup;x"}) {
        EXPECT_FALSE(check_job(verb, {})) << verb;
    }
    for (const auto* word : {"--pg1-path=/etc", "--config=/x", "--force", "--no-online",
                             "--cmd=/bin/sh", "--lock-path=/x", "--log-path=/x", "--repo1-host=x",
                             "--repo1-path=/x", "--no-archive-mode-check", "x", "", "-c", "--",
                             "--type", "--spool-path=/x", "--stanza=other"}) {
        EXPECT_FALSE(check_job("backup", {word})) << word;
    }
    EXPECT_FALSE(check_job("backup", {"--type=" + std::string(2000, 'x')}));
    EXPECT_FALSE(check_job("backup", {std::string("--type=x\0y", 10)}));
}

TEST(Job, OfWhatWasGivenItGetsWhatItMayHave) {
    EXPECT_EQ(words_for_job({"--log-level-console=info", "--pg1-host=10.0.0.1", "--start-fast=y",
                             "--resume=n", "--repo1-path=/x", "--repo1-retention-full=2",
                             "--stanza=main", "--exclude=a b", "--exclude=b"}),
              (Words{"--start-fast=y", "--resume=n", "--exclude=a b", "--exclude=b"}));
}

TEST(Job, AStateComesBackAsItWent) {
    const ServerState state{.in_recovery = true, .timeline = 7, .lsn = pg::Lsn(0x1'2345'6789)};
    EXPECT_EQ(to_state(to_json(state)).value(), state);
    EXPECT_FALSE(to_state(remote::Json::object()));
}

}  // namespace
}  // namespace howdah::backup
