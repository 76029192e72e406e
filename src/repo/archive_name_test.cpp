#include "repo/archive_name.h"

#include <gtest/gtest.h>

#include "repo/fixtures/fixtures.h"
#include "repo/paths.h"
#include "repo/stream/stored_form.h"

namespace howdah::repo {
namespace {

TEST(WalFile, KnowsWhatPostgreSqlArchives) {
    EXPECT_EQ(*wal_file("0000000100000000000000A3"), WalFile::segment);
    EXPECT_EQ(*wal_file("0000000100000000000000A3.partial"), WalFile::partial);
    EXPECT_EQ(*wal_file("0000000100000000000000A3.00000028.backup"), WalFile::backup_label);
    EXPECT_EQ(*wal_file("00000002.history"), WalFile::history);
    for (const auto* name : {"", "x", "../../etc/passwd", "0000000100000000000000a3",
                             "0000000100000000000000A3.", "0000000100000000000000A3.0000002.backup",
                             "0000000100000000000000A3.partial/..", "00000002.history.bak"}) {
        EXPECT_FALSE(wal_file(name)) << name;
    }
}

TEST(StoredSegment, NameAndSumRoundTrip) {
    const auto sum = sha1_of(bytes_of("x"));
    const std::string segment = "0000000100000000000000A3";
    for (const auto& name : {segment, segment + ".partial"}) {
        const auto file = stored_wal_name(name, sum, CompressType::lz4);
        const auto stored = parse_stored_segment(file);
        ASSERT_TRUE(stored) << file;
        EXPECT_EQ(stored->name, name);
        EXPECT_EQ(stored->segment(), segment);
        EXPECT_EQ(stored->sum, sum);
        EXPECT_EQ(stored->compress, CompressType::lz4);
    }
    EXPECT_EQ(stored_wal_name("00000002.history", sum, CompressType::lz4), "00000002.history");
    EXPECT_FALSE(parse_stored_segment(segment));
    EXPECT_FALSE(parse_stored_segment(segment + "-" + sum.hex() + ".xz"));
    EXPECT_FALSE(parse_stored_segment(segment + "-" + sum.hex() + ".pgbackrest.tmp"));
    EXPECT_FALSE(parse_stored_segment("00000002.history-" + sum.hex()));
}

TEST(StoredSegment, EverySegmentOfTheRepositoriesHasItsSum) {
    for (const auto* name : {"block-zst", "plain-bz2"}) {
        int segments = 0;
        for (const auto& [path, content] : fixtures::load(name).files) {
            const auto stored = parse_stored_segment(path.substr(path.rfind('/') + 1));
            if (stored) {
                const auto wal =
                    unpack({.compress = stored->compress}, bytes_of(content), 1U << 30);
                ASSERT_TRUE(wal) << wal.error().message;
                EXPECT_EQ(sha1_of(*wal), stored->sum);
                EXPECT_EQ(path, archive_folder("main") + "/15-1/" + wal_folder(stored->name) + "/" +
                                    stored_wal_name(stored->name, stored->sum, stored->compress));
                ++segments;
            }
        }
        EXPECT_EQ(segments, 8);
    }
}

TEST(ChooseSegment, DifferentContentsAreAConflict) {
    const std::string name = "0000000100000000000000A3";
    const auto one = stored_wal_name(name, sha1_of(bytes_of("1")), CompressType::gz);
    const auto same = stored_wal_name(name, sha1_of(bytes_of("1")), CompressType::zst);
    const auto other = stored_wal_name(name, sha1_of(bytes_of("2")), CompressType::gz);
    EXPECT_EQ(*choose_segment(name, {"junk", one, same}), one);
    EXPECT_EQ(choose_segment(name, {one, other}).error().code, Errc::conflict);
    EXPECT_EQ(choose_segment(name, {"junk"}).error().code, Errc::not_found);
    EXPECT_EQ(choose_segment(name + ".partial", {one}).error().code, Errc::not_found);
}

TEST(ArchiveId, RoundTrips) {
    EXPECT_EQ(ArchiveId::parse("9.6-2")->text(), "9.6-2");
    EXPECT_EQ(ArchiveId::parse("15-1")->id, 1U);
    for (const auto* text : {"", "15", "15-", "15-0", "-1", "15-01", "../x-1"}) {
        EXPECT_FALSE(ArchiveId::parse(text)) << text;
    }
}

TEST(Paths, FollowTheLayout) {
    const auto label = *Label::parse("20261123-090810F");
    EXPECT_EQ(manifest_path("demo", label), "backup/demo/20261123-090810F/backup.manifest");
    EXPECT_EQ(history_path("demo", label),
              "backup/demo/backup.history/2026/20261123-090810F.manifest.gz");
    EXPECT_EQ(archive_info_path("demo"), "archive/demo/archive.info");
    ManifestFile file{.name = "pg_data/x", .size = 5, .stored_size = 9};
    EXPECT_EQ(stored_place("demo", label, file, CompressType::gz, true)->path,
              "backup/demo/20261123-090810F/pg_data/x.gz");
    file.reference = "20261122-090810F";
    file.blocks = BlockFacts{.block_size = 8192};
    EXPECT_EQ(stored_place("demo", label, file, CompressType::gz, true)->path,
              "backup/demo/20261122-090810F/pg_data/x.pgbi");
    file.bundle = BundlePlace{.id = 7, .offset = 3};
    EXPECT_EQ(stored_place("demo", label, file, CompressType::gz, true)->path,
              "backup/demo/20261122-090810F/bundle/7");
    EXPECT_FALSE(stored_place("demo", label, {.name = "pg_data/x"}, CompressType::gz, true));
    EXPECT_FALSE(check_stanza("../x"));
    EXPECT_TRUE(check_stanza("demo"));
}

}  // namespace
}  // namespace howdah::repo
