#include "files/throttled_files.h"

#include <gtest/gtest.h>

#include "files/fake/memory_files.h"

namespace howdah::files {
namespace {

using std::chrono::milliseconds;

TEST(Rate, BooksTimeByBytes) {
    Rate rate(1000);
    const Rate::Clock::time_point begin{std::chrono::hours(1)};
    EXPECT_EQ(rate.book(250, begin), begin) << "a quarter of a second's worth goes at once";
    EXPECT_EQ(rate.book(500, begin), begin + milliseconds(500));
    EXPECT_EQ(rate.book(500, begin), begin + milliseconds(1000)) << "behind the one before";
    const auto later = begin + std::chrono::minutes(1);
    EXPECT_EQ(rate.book(1250, later), later + milliseconds(1000)) << "rest is not saved up";
}

TEST(ThrottledFiles, PassWhatTheyAreGiven) {
    ThrottledFiles files(std::make_unique<MemoryFiles>(), std::make_shared<Rate>(1'000'000));
    ASSERT_TRUE(write_all(files, "a/file", "content"));
    EXPECT_EQ(read_all(files, "a/file"), "content");
    EXPECT_EQ(files.stat("a/file").value()->size, 7U);
}

}  // namespace
}  // namespace howdah::files
