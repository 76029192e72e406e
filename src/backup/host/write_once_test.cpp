#include "backup/host/write_once.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "backup/options/exit_code.h"
#include "files/fake/memory_files.h"

namespace howdah::backup {
namespace {

const std::string folder = "archive/main/15-1/0000000100000000/";
const std::string segment = folder + "000000010000000000000003";

std::string with_sum(char digit) {
    return segment + "-" + std::string(40, digit);
}

class WriteOnceTest : public testing::Test {
protected:
    Result<> write(const std::string& path, const std::string& content) {
        return files::write_all(archive_, path, content);
    }
    std::size_t stored() {
        std::size_t count = 0;
        EXPECT_TRUE(archive_.list(folder.substr(0, folder.size() - 1), [&](const files::Entry&) {
            ++count;
            return Result<>{};
        }));
        return count;
    }

    OneAtATime turns_;
    WriteOnceArchive archive_{std::make_unique<files::MemoryFiles>(), turns_};
};

TEST_F(WriteOnceTest, ASegmentOfAnotherContentIsRefused) {
    ASSERT_TRUE(write(with_sum('a') + ".gz", "first"));
    for (const auto* extension : {"", ".gz", ".zst"}) {
        const auto other = write(with_sum('b') + extension, "other");
        ASSERT_FALSE(other) << extension;
        EXPECT_EQ(other.error().code, Errc::unsafe);
        EXPECT_EQ(exit_code_of(other.error()), ExitCode::archive_duplicate);
    }
    EXPECT_EQ(stored(), 1U);
    EXPECT_TRUE(write(segment + ".partial-" + std::string(40, 'b'), "another file"));
}

TEST_F(WriteOnceTest, ASegmentThatIsThereIsNotWrittenAgainInAnyForm) {
    ASSERT_TRUE(write(with_sum('a') + ".gz", "first"));
    EXPECT_EQ(write(with_sum('a') + ".gz", "not what its name says").error().code, Errc::conflict);
    EXPECT_EQ(write(with_sum('a'), "first").error().code, Errc::conflict);
    EXPECT_EQ(files::read_all(archive_, with_sum('a') + ".gz"), "first");
    EXPECT_EQ(stored(), 1U);
}

TEST_F(WriteOnceTest, OtherFilesOfTheArchiveStayAsTheyAre) {
    for (const auto* name :
         {"archive/main/15-1/00000002.history", "archive/main/15-1/archive.info",
          "archive/main/15-1/0000000100000000/000000010000000000000003.00000028.backup"}) {
        ASSERT_TRUE(write(name, "first"));
        EXPECT_EQ(write(name, "other").error().code, Errc::conflict) << name;
        EXPECT_EQ(files::read_all(archive_, name), "first");
    }
}

TEST_F(WriteOnceTest, WhatIsNoWalIsReplaced) {
    for (const auto* name : {"archive/main/archive.info", "archive/main/archive.info.copy",
                             "backup/main/backup.info", "backup/main/L/pg_data/PG_VERSION"}) {
        ASSERT_TRUE(write(name, "first"));
        EXPECT_TRUE(write(name, "other")) << name;
        EXPECT_EQ(files::read_all(archive_, name), "other");
    }
}

TEST_F(WriteOnceTest, WhatExpireRemovedMayComeAgain) {
    ASSERT_TRUE(write(with_sum('a'), "first"));
    ASSERT_TRUE(archive_.remove(with_sum('a')));
    EXPECT_TRUE(write(with_sum('b'), "other"));
    ASSERT_TRUE(archive_.remove_tree("archive/main"));
    EXPECT_TRUE(write(with_sum('a'), "first"));
}

TEST_F(WriteOnceTest, NoLinkStandsForAFileOfTheArchive) {
    ASSERT_TRUE(write(with_sum('a'), "first"));
    ASSERT_TRUE(write("backup/main/file", "other"));
    EXPECT_FALSE(archive_.link(with_sum('a'), "other"));
    EXPECT_FALSE(archive_.hard_link(with_sum('b'), "backup/main/file"));
    EXPECT_TRUE(archive_.link("backup/main/latest", "file"));
    EXPECT_TRUE(archive_.hard_link("backup/main/second", "backup/main/file"));
    EXPECT_EQ(files::read_all(archive_, with_sum('a')), "first");
}

TEST_F(WriteOnceTest, OfContentsThatFinishAtOnceOneStays) {
    for (int round = 0; round < 100; ++round) {
        std::atomic<int> taken{0};
        {
            constexpr int pushes = 4;
            std::latch ready(pushes);
            std::vector<std::jthread> threads;
            for (char digit = 'a'; digit < 'a' + pushes; ++digit) {
                threads.emplace_back([&, digit] {
                    auto sink = archive_
                                    .write(with_sum(digit), files::NameSync::at_once,
                                           files::IfTaken::refuse)
                                    .value();
                    ready.arrive_and_wait();
                    taken += sink->finish() ? 1 : 0;
                });
            }
        }
        EXPECT_EQ(taken, 1);
        EXPECT_EQ(stored(), 1U);
        ASSERT_TRUE(archive_.remove_tree("archive"));
    }
}

}  // namespace
}  // namespace howdah::backup
