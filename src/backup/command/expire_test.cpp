#include "backup/command/expire.h"

#include <gmock/gmock.h>

#include "backup/command/annotate.h"
#include "backup/command/stanza_change.h"
#include "backup/options/exit_code.h"
#include "backup/site_for_test.h"
#include "backup/stop_file.h"

// On the repository of a fixture: one full backup, with what depends on it, that pgBackRest made.

namespace howdah::backup {
namespace {

using testing::Contains;
using testing::HasSubstr;

struct Expires : testing::Test {
    SiteForTest made{};
    Site& site = made.site;
    Expires() { made.load("plain-bz2"); }
    std::vector<std::string> labels() {
        std::vector<std::string> all;
        for (const auto& [label, backup] :
             site.repositories[0].backup_info("main").value().backups) {
            all.push_back(label.text());
        }
        return all;
    }
    bool said(const std::string& text) const {
        return std::ranges::any_of(made.said,
                                   [&](const auto& line) { return line.contains(text); });
    }
};

TEST_F(Expires, NothingWithoutRetentionButSaysSo) {
    const auto before = made.stored("");
    ASSERT_TRUE(expire(site));
    EXPECT_TRUE(said("repo1-retention-full"));
    EXPECT_EQ(made.stored("").size(), before.size());
}

TEST_F(Expires, TheLastFullBackupOnlyByRetentionNeverByName) {
    site.options.expire_set = labels().front();
    const auto refused = expire(site);
    ASSERT_FALSE(refused);
    EXPECT_EQ(exit_code_of(refused.error()), ExitCode::backup_set_invalid);
    site.options.expire_set = "20200101-000000F";
    EXPECT_EQ(exit_code_of(expire(site).error()), ExitCode::backup_set_invalid);
}

TEST_F(Expires, ADryRunChangesNothingAndTellsWhy) {
    site.options.repositories[0].retention = {.full = 1, .diff = 1};
    site.options.dry_run = true;
    const auto before = made.stored("");
    ASSERT_TRUE(expire(site));
    EXPECT_EQ(made.stored(""), before);
    EXPECT_TRUE(said("[DRY-RUN] repo1:"));
    EXPECT_TRUE(said("stays: "));
}

TEST_F(Expires, FoldersThatNothingNamesButTheNewest) {
    auto& files = *made.files[0];
    ASSERT_TRUE(files::write_all(files, "backup/main/20200101-000000F/pg_data/PG_VERSION", "15"));
    ASSERT_TRUE(files::write_all(files, "backup/main/20990101-000000F/pg_data/PG_VERSION", "15"));
    ASSERT_TRUE(expire(site));
    EXPECT_TRUE(said("remove expired backup 20200101-000000F"));
    EXPECT_TRUE(made.stored("backup/main/20200101-000000F").empty());
    EXPECT_FALSE(made.stored("backup/main/20990101-000000F").empty()) << "it may be resumed";
}

TEST_F(Expires, AnnotationsComeAndGo) {
    site.options.expire_set = labels().front();
    EXPECT_EQ(exit_code_of(annotate(site).error()), ExitCode::option_required);
    site.options.backup.annotations = {{"why", "before the upgrade"}};
    ASSERT_TRUE(annotate(site));
    const auto info = site.repositories[0].backup_info("main").value();
    EXPECT_EQ(info.backups.begin()->second.annotations.at("why"), "before the upgrade");
    site.options.backup.annotations = {{"why", ""}};
    ASSERT_TRUE(annotate(site));
    EXPECT_FALSE(site.repositories[0]
                     .backup_info("main")
                     .value()
                     .backups.begin()
                     ->second.annotations.contains("why"));
}

TEST_F(Expires, AStanzaIsDeletedOnlyWhenItIsStopped) {
    site.options.clusters.clear();
    const auto refused = stanza_delete(site);
    ASSERT_FALSE(refused);
    EXPECT_EQ(exit_code_of(refused.error()), ExitCode::file_missing);
    EXPECT_FALSE(made.stored("backup/main").empty());
    ASSERT_TRUE(stop(site.options.lock_path, "main"));
    ASSERT_TRUE(stanza_delete(site));
    EXPECT_TRUE(made.stored("backup").empty());
    EXPECT_TRUE(made.stored("archive").empty());
    EXPECT_TRUE(check_not_stopped(site.options.lock_path, "main"));
}

TEST_F(Expires, AStanzaThatIsUpToDateIsLeftAlone) {
    const auto before = made.stored("");
    ASSERT_TRUE(stanza_upgrade(site));
    EXPECT_TRUE(said("already up to date"));
    EXPECT_EQ(made.stored(""), before);
}

}  // namespace
}  // namespace howdah::backup
