#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "backup/command/archive/archive_get.h"
#include "backup/command/archive/archive_push.h"
#include "backup/command/info.h"
#include "backup/command/stanza.h"
#include "backup/command/verify.h"
#include "backup/options/exit_code.h"
#include "backup/site_for_test.h"
#include "backup/stop_file.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto segment = "0000000100000000000000A1";

struct MadeSite : SiteForTest {
    explicit MadeSite(std::size_t repositories = 1) : SiteForTest(repositories) {
        EXPECT_TRUE(stanza_create(site));
        said.clear();
    }
};

ExitCode code_of(const auto& result) {
    return result ? ExitCode{} : exit_code_of(result.error());
}

TEST(StanzaCreate, MakesBothInfoFilesTwiceAndFindsThemValid) {
    SiteForTest here;
    ASSERT_TRUE(stanza_create(here.site));
    const auto made = here.stored("");
    EXPECT_EQ(made.size(), 4U);
    EXPECT_EQ(made.at("archive/main/archive.info"), made.at("archive/main/archive.info.copy"));
    ASSERT_TRUE(stanza_create(here.site));
    EXPECT_EQ(here.stored(""), made);
    EXPECT_THAT(here.said, ElementsAre("INFO: stanza-create for stanza 'main' on repo1",
                                       "INFO: stanza 'main' already exists on repo1 and is valid"));
}

TEST(StanzaCreate, WritesAMissingCopyAgain) {
    MadeSite here;
    const auto made = here.stored("");
    ASSERT_TRUE(here.files[0]->remove("backup/main/backup.info"));
    ASSERT_TRUE(stanza_create(here.site));
    EXPECT_EQ(here.stored(""), made);
}

TEST(StanzaCreate, TouchesNothingThatIsNotItsOwn) {
    SiteForTest here;
    ASSERT_TRUE(files::write_all(*here.files[0], "archive/main/15-1/something", "x"));
    EXPECT_EQ(code_of(stanza_create(here.site)), ExitCode::path_not_empty);
    EXPECT_EQ(here.stored("").size(), 1U);
}

TEST(StanzaCreate, RefusesTheStanzaOfAnotherCluster) {
    SiteForTest here;
    here.load("block-zst");
    EXPECT_EQ(code_of(stanza_create(here.site)), ExitCode::file_invalid);
}

TEST(StanzaCreate, WaitsForNoOtherCommand) {
    SiteForTest here;
    const auto held = here.site.lock(LockKind::backup);
    EXPECT_EQ(code_of(stanza_create(here.site)), ExitCode::lock_acquire);
    EXPECT_TRUE(here.stored("").empty());
}

TEST(ArchivePush, StoresASegmentUnderItsSumInEveryRepository) {
    MadeSite here(2);
    const auto wal = here.write_wal(segment, "content");
    ASSERT_TRUE(archive_push(here.site, wal));
    for (std::size_t at : {0U, 1U}) {
        const auto stored = here.stored("archive/main/15-1", at);
        ASSERT_EQ(stored.size(), 1U);
        EXPECT_THAT(
            stored.begin()->first,
            testing::MatchesRegex(".*/0000000100000000/0000000100000000000000A1-[0-9a-f]+"));
        EXPECT_THAT(stored.begin()->second, testing::EndsWith("content"));
    }
    EXPECT_THAT(here.said, ElementsAre("INFO: pushed WAL file '0000000100000000000000A1' to the "
                                       "archive"));
}

TEST(ArchivePush, TheSameContentAgainIsAWarning) {
    MadeSite here;
    const auto wal = here.write_wal(segment, "content");
    ASSERT_TRUE(archive_push(here.site, wal));
    const auto before = here.stored("");
    ASSERT_TRUE(archive_push(here.site, wal));
    EXPECT_THAT(here.said, Contains(HasSubstr("already exists in the repo1 archive with the same "
                                              "checksum")));
    EXPECT_EQ(here.stored(""), before);
}

TEST(ArchivePush, OtherContentUnderTheSameNameChangesNothing) {
    MadeSite here;
    ASSERT_TRUE(archive_push(here.site, here.write_wal(segment, "content")));
    const auto before = here.stored("");
    EXPECT_EQ(code_of(archive_push(here.site, here.write_wal(segment, "other"))),
              ExitCode::archive_duplicate);
    EXPECT_EQ(here.stored(""), before);
}

TEST(ArchivePush, OneRepositoryThatFailsKeepsNoOtherFromGettingIt) {
    MadeSite here(2);
    ASSERT_TRUE(here.files[0]->remove_tree("archive"));
    const auto failed = archive_push(here.site, here.write_wal(segment, "content"));
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().message, HasSubstr("repo1"));
    EXPECT_EQ(here.stored("archive/main/15-1", 1).size(), 1U);
}

TEST(ArchivePush, HistoryFilesKeepTheirNames) {
    MadeSite here;
    here.site.options.compress = repo::CompressType::gz;
    (void)here.write_local("pg_wal/00000002.history", "1\t0/3000000\tno recovery target\n");
    ASSERT_TRUE(archive_push(here.site, "pg_wal/00000002.history"));
    EXPECT_EQ(here.stored("archive/main/15-1").begin()->first,
              "archive/main/15-1/00000002.history");
}

TEST(ArchivePush, ASegmentThatIsNotWholeIsNotArchived) {
    MadeSite here;
    const auto wal = here.write_wal(segment, "content");
    std::filesystem::resize_file(here.data() + "/" + wal, 43);
    EXPECT_EQ(code_of(archive_push(here.site, wal)), ExitCode::archive_mismatch);
    EXPECT_TRUE(here.stored("archive/main/15-1").empty());
}

TEST(ArchivePush, AnotherHistoryOfTheSameTimelineChangesNothing) {
    MadeSite here;
    (void)here.write_local("pg_wal/00000002.history", "1\t0/3000000\tno recovery target\n");
    ASSERT_TRUE(archive_push(here.site, "pg_wal/00000002.history"));
    EXPECT_TRUE(archive_push(here.site, "pg_wal/00000002.history"));
    const auto before = here.stored("");
    (void)here.write_local("pg_wal/00000002.history", "1\t0/5000000\tno recovery target\n");
    EXPECT_EQ(code_of(archive_push(here.site, "pg_wal/00000002.history")),
              ExitCode::archive_duplicate);
    EXPECT_EQ(here.stored(""), before);
}

TEST(ArchivePush, TakesNoWalOfAnotherCluster) {
    MadeSite here;
    const auto foreign = here.write_wal(segment, "content", 42);
    EXPECT_EQ(code_of(archive_push(here.site, foreign)), ExitCode::archive_mismatch);
    here.site.options.archive_header_check = false;
    EXPECT_TRUE(archive_push(here.site, foreign));
}

TEST(ArchivePush, TakesNothingWhileTheStanzaIsStopped) {
    MadeSite here;
    ASSERT_TRUE(stop(here.site.options.lock_path, "main"));
    EXPECT_EQ(code_of(archive_push(here.site, here.write_wal(segment, "x"))), ExitCode::stop);
    EXPECT_TRUE(here.stored("archive/main/15-1").empty());
}

TEST(ArchiveGet, GivesBackWhatWasArchived) {
    MadeSite here;
    here.site.options.compress = repo::CompressType::lz4;
    ASSERT_TRUE(archive_push(here.site, here.write_wal(segment, "content")));
    EXPECT_EQ(archive_get(here.site, segment, "fetched"), true);
    EXPECT_EQ(io::read_file(here.data() + "/fetched").value(),
              io::read_file(here.data() + "/pg_wal/" + segment).value());
}

TEST(ArchiveGet, WhatIsNotThereIsNoError) {
    MadeSite here;
    EXPECT_EQ(archive_get(here.site, segment, "fetched"), false);
    EXPECT_THAT(here.said, Contains(HasSubstr("unable to find")));
    EXPECT_FALSE(std::filesystem::exists(here.data() + "/fetched"));
}

TEST(ArchiveGet, NeverDeliversDamage) {
    MadeSite here;
    ASSERT_TRUE(archive_push(here.site, here.write_wal(segment, "content")));
    const auto stored = *here.stored("archive/main/15-1").begin();
    ASSERT_TRUE(files::write_all(*here.files[0], stored.first, stored.second + "damage"));
    EXPECT_EQ(code_of(archive_get(here.site, segment, "fetched")), ExitCode::checksum);
    EXPECT_FALSE(std::filesystem::exists(here.data() + "/fetched"));
}

TEST(ArchiveGet, NeverDeliversDamageInsideOfACompressedFile) {
    for (const auto compress : {repo::CompressType::gz, repo::CompressType::bz2,
                                repo::CompressType::lz4, repo::CompressType::zst}) {
        MadeSite here;
        here.site.options.compress = compress;
        ASSERT_TRUE(archive_push(here.site, here.write_wal(segment, std::string(5000, 'x'))));
        const auto whole = io::read_file(here.data() + "/pg_wal/" + segment).value();
        const auto [path, content] = *here.stored("archive/main/15-1").begin();
        std::size_t refused = 0;
        for (std::size_t at = content.size() / 2; at < content.size(); ++at) {
            auto damaged = content;
            damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
            ASSERT_TRUE(files::write_all(*here.files[0], path, damaged));
            // A few bits mean nothing, as those that fill up the last byte.
            const auto got = archive_get(here.site, segment, "fetched");
            const auto fetched = io::read_file(here.data() + "/fetched");
            EXPECT_EQ(got.has_value(), fetched.has_value());
            EXPECT_TRUE(!got || *fetched == whole) << name_of(compress) << " " << at;
            EXPECT_TRUE(got || code_of(got) == ExitCode::checksum);
            refused += got ? 0 : 1;
            std::filesystem::remove(here.data() + "/fetched");
        }
        EXPECT_GT(refused, content.size() / 4);
    }
}

TEST(ArchiveGet, AsksTheNextRepositoryWhenOneFails) {
    MadeSite here(2);
    ASSERT_TRUE(archive_push(here.site, here.write_wal(segment, "content")));
    ASSERT_TRUE(here.files[0]->remove_tree("archive"));
    here.said.clear();
    EXPECT_EQ(archive_get(here.site, segment, "fetched"), true);
    EXPECT_THAT(here.said, ElementsAre(HasSubstr("WARN: repo1: "), HasSubstr("INFO: found")));
}

TEST(ArchiveGet, WhatOneRepositoryCouldNotSayIsNotMissing) {
    for (const std::size_t down : {0U, 1U}) {
        MadeSite here(2);
        ASSERT_TRUE(here.files[down]->remove_tree("archive"));
        const auto asked = archive_get(here.site, segment, "fetched");
        ASSERT_FALSE(asked);
        EXPECT_THAT(asked.error().message, HasSubstr(down == 0 ? "repo1" : "repo2"));
    }
}

TEST(ArchiveGet, TwoContentsOfOneSegmentAreNotChosenFrom) {
    MadeSite here;
    for (const auto sum : {'a', 'b'}) {
        const auto path = "archive/main/15-1/0000000100000000/" + std::string(segment) + "-" +
                          std::string(40, sum);
        ASSERT_TRUE(files::write_all(*here.files[0], path, "x"));
    }
    EXPECT_EQ(code_of(archive_get(here.site, segment, "fetched")), ExitCode::archive_duplicate);
}

/// What pgBackRest said of the same repository, without what depends on the moment.
TEST(Info, TellsOfAFixtureWhatPgbackrestTold) {
    SiteForTest here;
    here.load("plain-bz2");
    const auto ours = nlohmann::json::parse(info_json(info(here.site).value()));
    const auto theirs = nlohmann::json::parse(repo::fixtures::load("plain-bz2").at("info.json"));
    for (const auto* part : {"backup", "cipher", "db", "name"}) {
        EXPECT_EQ(ours[0][part], theirs[0][part]) << part;
    }
    EXPECT_EQ(ours[0]["status"]["code"], 0);
}

TEST(Info, NamesEveryStanzaUnlessOneIsAskedFor) {
    MadeSite here;
    here.site.options.stanza = "other";
    ASSERT_TRUE(stanza_create(here.site));
    EXPECT_EQ(info(here.site)->size(), 1U);
    here.site.options.stanza.clear();
    const auto all = info(here.site).value();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].name, "main");
    EXPECT_EQ(all[0].repositories[0].message, "no valid backups");
}

TEST(Info, ShowsThatABackupRuns) {
    MadeSite here;
    EXPECT_FALSE(info(here.site).value()[0].backup_runs);
    const auto held = here.site.lock(LockKind::backup);
    EXPECT_TRUE(info(here.site).value()[0].backup_runs);
}

Result<Verified> verify_first(SiteForTest& here) {
    return verify(here.site, here.site.repositories.front());
}

TEST(Verify, FindsEveryFixtureWhole) {
    for (const auto& name : repo::fixtures::plain_names()) {
        SiteForTest here;
        here.load(name);
        here.site.options.process_max = 2;
        const auto found = verify_first(here);
        ASSERT_TRUE(found) << found.error().message;
        EXPECT_TRUE(found->all_good()) << verify_text("main", *found);
        EXPECT_EQ(found->backups.size(), 3U);
    }
}

TEST(Verify, NamesTheFileThatIsDamaged) {
    SiteForTest here;
    here.load("plain-bz2");
    const auto label = repo::fixtures::load("plain-bz2").labels().front();
    const auto path = "backup/main/" + label + "/pg_data/PG_VERSION.bz2";
    ASSERT_TRUE(files::write_all(*here.files[0], path, "damage"));
    const auto found = verify_first(here).value();
    EXPECT_FALSE(found.all_good());
    ASSERT_EQ(found.backups.front().damage.size(), 1U);
    EXPECT_EQ(found.backups.front().damage.front().path, path);
    EXPECT_TRUE(found.archives.front().damage.empty());
}

TEST(Verify, ReadsTheSetThatIsAskedForAlone) {
    SiteForTest here;
    here.load("plain-bz2");
    here.site.options.restore.set = repo::fixtures::load("plain-bz2").labels().back();
    EXPECT_EQ(verify_first(here).value().backups.size(), 1U);
    here.site.options.restore.set = "20200101-000000F";
    EXPECT_EQ(verify_first(here).error().code, Errc::not_found);
}

TEST(Verify, DamagedWalMakesItsBackupBadAndNoOther) {
    SiteForTest here;
    here.load("plain-bz2");
    const auto labels = repo::fixtures::load("plain-bz2").labels();
    const auto info = here.site.repositories.front().backup_info("main").value();
    const auto needed = *info.backups.begin()->second.wal_start;
    for (const auto& [path, content] : here.stored("archive")) {
        if (path.contains(needed + "-")) {
            ASSERT_TRUE(files::write_all(*here.files[0], path, "damage"));
        }
    }
    const auto all = verify_first(here).value();
    EXPECT_EQ(all.backups.front().state, repo::BackupState::wal_missing);
    EXPECT_EQ(all.backups.front().missing_wal, needed);
    EXPECT_EQ(all.backups.back().state, repo::BackupState::valid);
    here.site.options.restore.set = labels.front();
    EXPECT_FALSE(verify_first(here).value().all_good());
    here.site.options.restore.set = labels.back();
    EXPECT_TRUE(verify_first(here).value().all_good());
}

TEST(Verify, WhatABackupTakesFromOneThatIsGoneIsMissing) {
    SiteForTest here;
    here.load("plain-bz2");
    const auto full = repo::fixtures::load("plain-bz2").labels().front();
    ASSERT_TRUE(here.files[0]->remove_tree("backup/main/" + full));
    const auto found = verify_first(here).value();
    EXPECT_EQ(found.backups.front().state, repo::BackupState::manifest_missing);
    EXPECT_EQ(found.backups.back().state, repo::BackupState::invalid);
}

}  // namespace
}  // namespace howdah::backup
