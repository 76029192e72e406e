#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repo/fixtures/fixtures.h"
#include "repo/info/archive_info.h"
#include "repo/info/backup_info.h"
#include "repo/info/copies.h"
#include "repo/info/info_document.h"

namespace howdah::repo {
namespace {

using testing::HasSubstr;

const std::string archive_2_45 =
    "[backrest]\nbackrest-format=5\nbackrest-version=\"2.45\"\n\n"
    "[db]\ndb-id=1\ndb-system-id=7711273590602624413\ndb-version=\"15\"\n\n"
    "[db:history]\n1={\"db-id\":7711273590602624413,\"db-version\":\"15\"}\n\n"
    "[backrest]\nbackrest-checksum=\"fc62d74e2cdfe23ab3d82064f44fcfc66256d586\"\n";

/// A document with the right checksum, so that what is wrong is what the test says.
std::string document(const std::vector<std::array<std::string, 3>>& entries) {
    std::string text;
    InfoWriter out(
        [&](Bytes bytes) -> Result<> {
            text += text_of(bytes);
            return {};
        },
        "2.59.1");
    for (const auto& [section, key, json] : entries) {
        out.section(section);
        EXPECT_TRUE(out.entry(key, json));
    }
    EXPECT_TRUE(out.finish());
    return text;
}

TEST(ArchiveInfo, ReadsWhatPgBackRest245Wrote) {
    const auto info = ArchiveInfo::parse(archive_2_45);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->written_by, "2.45");
    EXPECT_EQ(info->archive_id(), "15-1");
    EXPECT_EQ(info->history.at(1).system_id, 7711273590602624413U);
    EXPECT_EQ(info->render(), archive_2_45);
}

TEST(ArchiveInfo, RendersEveryRepositoryByteForByte) {
    for (const auto& name : fixtures::plain_names()) {
        const auto& text = fixtures::load(name).at("archive/main/archive.info");
        const auto info = ArchiveInfo::parse(text);
        ASSERT_TRUE(info) << info.error().message;
        EXPECT_EQ(info->render(), text);
    }
}

TEST(ArchiveInfo, UpgradeAppendsAnIdAndKeepsTheOld) {
    auto info = *ArchiveInfo::parse(archive_2_45);
    const auto before = info.history.at(1);
    info.upgrade({.system_id = 5, .version = "16"});
    EXPECT_EQ(info.archive_id(), "16-2");
    info.upgrade(before);
    EXPECT_THAT(info.ids_of(before), testing::ElementsAre(3, 1));
    EXPECT_EQ(*ArchiveInfo::parse(info.render()), info);
}

TEST(ArchiveInfo, ChangedByteIsNamed) {
    auto text = archive_2_45;
    text.replace(text.find("db-id=1"), 7, "db-id=2");
    const auto info = ArchiveInfo::parse(text);
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code, Errc::corrupt);
    EXPECT_THAT(info.error().message, HasSubstr("archive.info: checksum"));
}

TEST(ArchiveInfo, OtherFormatIsRefused) {
    auto text = archive_2_45;
    text.replace(text.find("format=5"), 8, "format=6");
    EXPECT_EQ(ArchiveInfo::parse(text).error().message,
              "archive.info: [backrest] backrest-format: is 6, not 5");
}

TEST(ArchiveInfo, VersionThatIsAPathIsRefused) {
    const auto text = document({{"db", "db-id", "1"},
                                {"db", "db-system-id", "1"},
                                {"db", "db-version", "\"../../etc\""},
                                {"db:history", "1", R"({"db-id":1,"db-version":"../../etc"})"}});
    EXPECT_THAT(ArchiveInfo::parse(text).error().message,
                HasSubstr("archive.info: [db:history] 1: db-version: \"../../etc\" is no version"));
}

TEST(ArchiveInfo, CurrentIdMustBeInTheHistory) {
    const auto text =
        document({{"db", "db-id", "2"}, {"db:history", "1", R"({"db-id":1,"db-version":"15"})"}});
    EXPECT_THAT(ArchiveInfo::parse(text).error().message, HasSubstr("db-id 2 is not in"));
}

TEST(BackupInfo, RendersEveryRepositoryByteForByte) {
    for (const auto& name : fixtures::plain_names()) {
        const auto& text = fixtures::load(name).at("backup/main/backup.info");
        const auto info = BackupInfo::parse(text);
        ASSERT_TRUE(info) << info.error().message;
        EXPECT_EQ(info->backups.size(), 3U);
        EXPECT_EQ(info->render(), text);
    }
}

TEST(BackupInfo, PriorFollowsTheType) {
    const auto info = *BackupInfo::parse(fixtures::load("plain-bz2").at("backup/main/backup.info"));
    EXPECT_EQ(info.prior_for(BackupType::diff)->text(), "20261123-090810F");
    EXPECT_EQ(info.prior_for(BackupType::incr)->text(), "20261123-090810F_20261123-090815I");
    EXPECT_FALSE(info.prior_for(BackupType::full));
    EXPECT_EQ(info.with_dependants(*info.prior_for(BackupType::diff)).size(), 3U);
}

TEST(BackupInfo, OptionalFieldsRoundTrip) {
    auto info = *BackupInfo::parse(fixtures::load("plain-bz2").at("backup/main/backup.info"));
    auto& backup = info.backups.begin()->second;
    backup.annotations = {{"k", "a \"b\"\n=c"}, {"z", "ü"}};
    backup.wal_start.reset();
    backup.wal_stop.reset();
    backup.error.reset();
    backup.lsn_start.reset();
    backup.sizes.map_total = 5;
    backup.sizes.map_delta = 4;
    info.cipher_pass = "s3cret=";
    const auto text = info.render();
    EXPECT_THAT(text, HasSubstr(R"("backup-annotation":{"k":"a \"b\"\n=c","z":"ü"})"));
    EXPECT_THAT(text, HasSubstr(R"("backup-archive-start":null)"));
    EXPECT_EQ(*BackupInfo::parse(text), info);
}

TEST(BackupInfo, LabelThatIsAPathIsRefused) {
    const auto text = document({{"backup:current", "../../etc", "{}"}});
    EXPECT_EQ(BackupInfo::parse(text).error().message,
              "backup.info: [backup:current] ../../etc: \"../../etc\" is no backup label");
}

TEST(InfoReader, TakesADocumentInPiecesOfAnySize) {
    for (std::size_t size = 1; size < 40; ++size) {
        std::vector<std::string> seen;
        InfoReader reader("archive.info", [&](const InfoEntry& entry) -> Result<> {
            seen.push_back(entry.where() + " " + std::string(entry.json));
            return {};
        });
        for (std::size_t at = 0; at < archive_2_45.size(); at += size) {
            ASSERT_TRUE(reader.push(bytes_of(std::string_view(archive_2_45).substr(at, size))));
        }
        ASSERT_TRUE(reader.finish());
        EXPECT_EQ(seen.size(), 4U);
        EXPECT_EQ(seen[2], "[db] db-version \"15\"");
    }
}

TEST(InfoReader, KeysMayHoldEqualSignsQuotesAndBackslashes) {
    const std::string key = R"(pg_data/od"d=na\me={"a)";
    const auto text = document({{"target:file", key, R"({"size":0})"}});
    std::string seen;
    ASSERT_TRUE(read_info("m", text, [&](const InfoEntry& entry) -> Result<> {
        seen = entry.key;
        return {};
    }));
    EXPECT_EQ(seen, key);
}

TEST(InfoReader, UnknownSectionsAndEmptyLinesAreNoError) {
    const auto text = document({{"db", "db-id", "1"}, {"zebra", "x", "[1,{\"a\":null}]"}});
    EXPECT_TRUE(read_info("m", "\n\n" + text + "\n", [](const InfoEntry&) { return Result<>(); }));
}

TEST(InfoReader, SaysWhichLineIsWrong) {
    const auto none = [](const InfoEntry&) { return Result<>(); };
    EXPECT_EQ(read_info("m", "[a]\nx=1\nnonsense\n", none).error().message,
              "m: line 3: is neither a section nor key=value");
    EXPECT_EQ(read_info("m", "x=1\n", none).error().message,
              "m: line 1: stands before any section");
    EXPECT_EQ(read_info("m", "", none).error().message, "m: [backrest] backrest-format is missing");
}

TEST(Copies, TheCopyServesWhenTheMainFileIsDamaged) {
    const auto info = main_or_copy("archive.info", ArchiveInfo::parse("garbage"),
                                   [] { return ArchiveInfo::parse(archive_2_45); });
    EXPECT_TRUE(info);
}

TEST(Copies, DamageIsNotTakenForAbsence) {
    Result<int> missing = fail(Errc::not_found, "no such file");
    Result<int> damaged = fail(Errc::corrupt, "checksum");
    EXPECT_EQ(main_or_copy("a", missing, [&] { return damaged; }).error().code, Errc::corrupt);
    EXPECT_EQ(main_or_copy("a", damaged, [&] { return missing; }).error().code, Errc::corrupt);
    EXPECT_EQ(main_or_copy("a", missing, [&] { return missing; }).error().code, Errc::not_found);
    EXPECT_EQ(main_or_copy("a", missing, [&] { return damaged; }).error().message,
              "cannot load a (no such file) nor a.copy (checksum)");
}

}  // namespace
}  // namespace howdah::repo
