#include "backup/command/backup/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "backup/command/stanza.h"
#include "backup/command/verify.h"
#include "backup/options/exit_code.h"
#include "backup/site_for_test.h"

namespace howdah::backup {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// A stanza of a cluster that does not run, in memory.
class BackupOffline : public testing::Test {
protected:
    BackupOffline() {
        site().options.online = false;
        site().options.backup.type = "full";
        EXPECT_TRUE(stanza_create(site()));
    }
    Site& site() { return made_.site; }
    Repository& repository() { return site().repositories.front(); }

    repo::BackupInfo info() { return repository().backup_info("main").value(); }
    repo::Manifest manifest() {
        return repository().manifest("main", info().backups.rbegin()->first).value();
    }
    repo::ManifestFile file(const repo::Manifest& manifest, const std::string& name) {
        const auto at = manifest.files.find(name);
        EXPECT_TRUE(at) << name;
        return at ? manifest.files.at(*at) : repo::ManifestFile{};
    }
    ExitCode refusal() {
        const auto done = backup(site());
        EXPECT_FALSE(done);
        return done ? ExitCode::unknown : exit_code_of(done.error());
    }
    bool all_good() {
        const auto found = verify(site(), repository());
        return found && found->all_good();
    }

    SiteForTest made_{};
};

TEST_F(BackupOffline, AFullBackupHoldsEveryFileAndVerifies) {
    (void)made_.write_local("base/1/112", std::string(16384, '\0'));
    (void)made_.write_local("base/1/empty", "");
    ASSERT_TRUE(backup(site()));
    const auto taken = manifest();
    EXPECT_EQ(file(taken, "pg_data/base/1/112").size, 16384U);
    EXPECT_FALSE(file(taken, "pg_data/base/1/empty").sum);
    EXPECT_FALSE(taken.header.wal_start);
    EXPECT_EQ(info().backups.size(), 1U);
    EXPECT_TRUE(all_good());
    const auto label = taken.header.label.text();
    EXPECT_EQ(repository().files().stat("backup/main/latest").value()->target, label);
    EXPECT_EQ(made_.stored("backup/main/backup.history").size(), 1U);
}

TEST_F(BackupOffline, NamesThatLookLikeSyntaxSurvive) {
    for (const auto* name : {"a=b", "a={}", "[x]", "#c", "sp ace", "q\"uo\\te", "\xff\xfe"}) {
        (void)made_.write_local(std::string("base/1/") + name, "content");
    }
    ASSERT_TRUE(backup(site()));
    const auto taken = manifest();
    EXPECT_EQ(file(taken, "pg_data/base/1/a={}").size, 7U);
    EXPECT_EQ(file(taken, "pg_data/base/1/\xff\xfe").size, 7U);
    EXPECT_TRUE(all_good());
}

TEST_F(BackupOffline, ALineBreakInANameIsRefusedUnlessExcluded) {
    (void)made_.write_local("two\nlines", "content");
    EXPECT_EQ(refusal(), ExitCode::file_invalid);
    site().options.backup.excludes = {"two\nlines"};
    EXPECT_TRUE(backup(site()));
}

TEST_F(BackupOffline, AnIncrementalRefersToWhatHasNotChanged) {
    (void)made_.write_local("base/1/same", "same");
    (void)made_.write_local("base/1/other", "before");
    ASSERT_TRUE(backup(site()));
    (void)made_.write_local("base/1/other", "after it");
    site().options.backup.type = "incr";
    ASSERT_TRUE(backup(site()));
    const auto taken = manifest();
    EXPECT_EQ(taken.header.type, repo::BackupType::incr);
    EXPECT_EQ(file(taken, "pg_data/base/1/same").reference, taken.header.prior->text());
    EXPECT_EQ(file(taken, "pg_data/base/1/other").reference, "");
    EXPECT_TRUE(all_good());
    EXPECT_EQ(refusal(), ExitCode::file_missing) << "nothing has changed";
}

TEST_F(BackupOffline, BundlesHoldSmallFilesAndNothingOfEmptyOnes) {
    site().options.repositories = {{.bundle = true, .bundle_limit = 10}};
    (void)made_.write_local("base/1/small", "small");
    (void)made_.write_local("base/1/empty", "");
    (void)made_.write_local("base/1/large", "larger than ten");
    ASSERT_TRUE(backup(site()));
    const auto taken = manifest();
    EXPECT_EQ(file(taken, "pg_data/base/1/small").bundle->id, 1U);
    EXPECT_FALSE(file(taken, "pg_data/base/1/large").bundle);
    EXPECT_FALSE(file(taken, "pg_data/base/1/empty").bundle);
    EXPECT_TRUE(all_good());
}

TEST_F(BackupOffline, BlocksOfLargeFilesAreStoredOnce) {
    site().options.repositories = {{.bundle = true, .block = true}};
    site().options.compress = repo::CompressType::zst;
    std::string content(std::size_t{1} << 20, 'a');
    for (std::size_t i = 0; i < content.size(); i += 8192) {
        content.replace(i, 8, std::to_string(10000000 + i));
    }
    (void)made_.write_local("base/1/large", content);
    ASSERT_TRUE(backup(site()));
    const auto whole = file(manifest(), "pg_data/base/1/large");
    ASSERT_TRUE(whole.blocks);
    content[500000] = 'b';
    (void)made_.write_local("base/1/large", content);
    const auto later =
        std::filesystem::last_write_time(made_.data() + "/base/1/large") + std::chrono::seconds(2);
    std::filesystem::last_write_time(made_.data() + "/base/1/large", later);
    site().options.backup.type = "diff";
    ASSERT_TRUE(backup(site()));
    const auto changed = file(manifest(), "pg_data/base/1/large");
    EXPECT_EQ(changed.reference, "");
    EXPECT_LT(changed.stored_size, whole.stored_size);
    EXPECT_TRUE(all_good());
}

TEST_F(BackupOffline, WhatIsOfAnotherProductIsRemovedAndBegunAnew) {
    ASSERT_TRUE(backup(site()));
    auto begun = manifest();
    begun.header.written_by = "2.45";
    begun.header.label = repo::Label::parse("20990101-000000F").value();
    ASSERT_TRUE(repository().save_unfinished("main", begun, ""));
    site().options.backup.type = "full";
    ASSERT_TRUE(backup(site()));
    EXPECT_THAT(made_.said, Contains(HasSubstr("cannot be resumed: it was begun by version 2.45")));
    EXPECT_FALSE(repository().files().stat("backup/main/20990101-000000F").value());
}

TEST_F(BackupOffline, ItGoesOnWithItsOwnAndKeepsWhatIsRight) {
    const auto path = made_.write_local("base/1/kept", "content");
    (void)made_.write_local("base/1/damaged", "content");
    ASSERT_TRUE(backup(site()));
    const auto label = manifest().header.label;
    const auto folder = "backup/main/" + label.text();
    ASSERT_TRUE(repository().files().remove(folder + "/backup.manifest"));
    ASSERT_TRUE(files::write_all(repository().files(), folder + "/pg_data/base/1/damaged", "dam"));
    ASSERT_TRUE(files::write_all(repository().files(), folder + "/pg_data/stray", "x"));
    ASSERT_TRUE(backup(site()));
    EXPECT_THAT(made_.said, Contains(HasSubstr("resumable backup " + label.text())));
    EXPECT_EQ(manifest().header.label, label);
    EXPECT_FALSE(repository().files().stat(folder + "/pg_data/stray").value());
    EXPECT_THAT(made_.said, Contains(HasSubstr("files stay from the unfinished backup")));
    EXPECT_TRUE(all_good());
}

TEST_F(BackupOffline, BadPagesAreToldAndTheBackupStands) {
    site().options.backup.checksum_page = true;
    std::string pages(std::size_t{3} * 8192, 'x');
    pages.replace(0, 8192, std::string(8192, '\0'));
    (void)made_.write_local("base/1/1249", pages);
    (void)made_.write_local("base/1/1250", "not a page");
    ASSERT_TRUE(backup(site()));
    const auto taken = manifest();
    EXPECT_EQ(file(taken, "pg_data/base/1/1249").bad_pages, (repo::PageRuns{{1, 2}}));
    EXPECT_THAT(made_.said, Contains(HasSubstr("/base/1/1249 at pages 1-2")));
    EXPECT_THAT(made_.said, Contains(HasSubstr("page misalignment in file")));
    EXPECT_TRUE(info().backups.begin()->second.error);
    EXPECT_TRUE(all_good());
}

TEST_F(BackupOffline, AnotherClustersStanzaIsRefused) {
    auto other = info();
    other.history.at(1).system_id += 1;
    ASSERT_TRUE(repository().save("main", other));
    EXPECT_EQ(refusal(), ExitCode::backup_mismatch);
}

TEST_F(BackupOffline, AClusterOnAnotherHostIsNotReadHere) {
    site().options.clusters.front().host.name = "pgvm1";
    EXPECT_EQ(refusal(), ExitCode::option_required);
}

TEST_F(BackupOffline, ARunningServerIsNotBackedUpAsIfItWereStopped) {
    (void)made_.write_local("postmaster.pid", "1");
    EXPECT_EQ(refusal(), ExitCode::pg_running);
    site().options.force = true;
    EXPECT_TRUE(backup(site()));
}

TEST_F(BackupOffline, OptionsThatExcludeEachOtherAreRefused) {
    site().options.repositories = {{.block = true}};
    EXPECT_EQ(refusal(), ExitCode::option_invalid);
    site().options.repositories = {{.bundle = true, .hardlink = true}};
    EXPECT_EQ(refusal(), ExitCode::option_invalid);
    site().options.repositories = {{}};
    site().options.named = {"start-fast"};
    EXPECT_EQ(refusal(), ExitCode::option_invalid) << "offline there is no checkpoint to ask for";
    site().options.named = {};
    site().options.backup.type = "some";
    EXPECT_EQ(refusal(), ExitCode::option_invalid_value);
}

TEST_F(BackupOffline, HardLinksMakeAnIncrementalFolderWhole) {
    site().options.repositories = {{.hardlink = true}};
    (void)made_.write_local("base/1/same", "same");
    (void)made_.write_local("base/1/other", "before");
    ASSERT_TRUE(backup(site()));
    (void)made_.write_local("base/1/other", "after it");
    site().options.backup.type = "incr";
    ASSERT_TRUE(backup(site()));
    const auto folder = "backup/main/" + manifest().header.label.text();
    EXPECT_EQ(files::read_all(repository().files(), folder + "/pg_data/base/1/same"), "same");
}

TEST_F(BackupOffline, LinksAreFollowedAndThoseThatOverlapRefused) {
    const auto outside = made_.folder() + "/outside";
    std::filesystem::create_directories(outside + "/below");
    std::ofstream(outside + "/file") << "behind a link";
    std::filesystem::create_symlink(outside, made_.data() + "/linked");
    ASSERT_TRUE(backup(site()));
    const auto taken = manifest();
    EXPECT_EQ(file(taken, "pg_data/linked/file").size, 13U);
    ASSERT_EQ(taken.header.links.size(), 1U);
    EXPECT_EQ(taken.header.links.front().destination, outside);
    std::filesystem::create_symlink(outside + "/below", made_.data() + "/again");
    EXPECT_EQ(refusal(), ExitCode::link_destination);
    site().options.backup.excludes = {"again"};
    EXPECT_TRUE(backup(site()));
}

TEST_F(BackupOffline, ABackupThatLostItsManifestLeavesTheList) {
    ASSERT_TRUE(backup(site()));
    const auto label = manifest().header.label;
    ASSERT_TRUE(repository().files().remove_tree("backup/main/" + label.text()));
    ASSERT_TRUE(backup(site()));
    EXPECT_THAT(made_.said, Contains(HasSubstr(label.text() + "' removed from backup.info")));
    EXPECT_EQ(info().backups.size(), 1U);
}

}  // namespace
}  // namespace howdah::backup
