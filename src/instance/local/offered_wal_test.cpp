#include "instance/local/offered_wal.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "io/files.h"

namespace howdah::instance {
namespace {

namespace fs = std::filesystem;

TEST(OfferedWal, SegmentsAndHistoriesThatAreStillThereAndNothingElse) {
    const auto data = ::testing::TempDir() + "howdah-offered-wal";
    const auto wal = data + "/pg_wal/", marks = wal + "archive_status/";
    fs::remove_all(data);
    fs::create_directories(marks);
    const auto put = [&](const std::string& file) {
        ASSERT_TRUE(io::write_file_atomically(file, ""));
    };
    const std::string segment = "000000010000000000000002", history = "00000002.history";
    for (const auto& there :
         {segment, history, segment + ".partial", segment + ".00000028.backup"}) {
        put(wal + there);
        put(marks + there + ".done");
    }
    put(marks + "000000010000000000000001.done");  // removed by a checkpoint
    EXPECT_EQ(offer_wal_again(data).value(), 2U);
    EXPECT_TRUE(fs::exists(marks + segment + ".ready"));
    EXPECT_TRUE(fs::exists(marks + history + ".ready"));
    EXPECT_FALSE(fs::exists(marks + segment + ".done"));
    EXPECT_TRUE(fs::exists(marks + segment + ".partial.done"));
    EXPECT_TRUE(fs::exists(marks + segment + ".00000028.backup.done"));
    EXPECT_EQ(offer_wal_again(data).value(), 0U);
    EXPECT_EQ(offer_wal_again(data + "/nowhere").error().code, Errc::io);
    fs::remove_all(data);
}

TEST(OfferedWal, WholeSegmentsOfTheHistoryThatHaveNoMark) {
    const auto data = ::testing::TempDir() + "howdah-unmarked-wal";
    const auto wal = data + "/pg_wal/", marks = wal + "archive_status/";
    fs::remove_all(data);
    fs::create_directories(marks);
    const auto put = [&](const std::string& file) {
        ASSERT_TRUE(io::write_file_atomically(file, ""));
    };
    const std::string first = "000000010000000000000002", last = "000000010000000000000003",
                      behind = "000000010000000000000004", other = "000000020000000000000003",
                      own = "000000030000000000000004";
    for (const auto& segment : {first, last, behind, other, own}) {
        put(wal + segment);
    }
    put(marks + first + ".done");
    constexpr std::uint64_t bytes = 16U << 20U;
    // Timeline 1 was left at the very end of its segment 3: that one is whole.
    const auto at_end = pg::parse_history("1\t0/4000000\tend\n").value();
    EXPECT_EQ(offer_unmarked_wal(data, at_end, bytes).value(), 1U);
    EXPECT_TRUE(fs::exists(marks + last + ".ready"));
    for (const auto& segment : {first, behind, other, own}) {
        EXPECT_FALSE(fs::exists(marks + segment + ".ready")) << segment;
    }
    EXPECT_EQ(offer_unmarked_wal(data, at_end, bytes).value(), 0U);
    // Left within it, it is a part of a segment, and the next timeline has it whole.
    fs::remove(marks + last + ".ready");
    const auto within = pg::parse_history("1\t0/3FFFFF8\twithin\n").value();
    EXPECT_EQ(offer_unmarked_wal(data, within, bytes).value(), 0U);
    EXPECT_EQ(offer_unmarked_wal(data + "/nowhere", at_end, bytes).error().code, Errc::io);
    fs::remove_all(data);
}

}  // namespace
}  // namespace howdah::instance
