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

}  // namespace
}  // namespace howdah::instance
