#include "cli/backup/progress_text.h"

#include <gtest/gtest.h>

namespace howdah::cli {
namespace {

TEST(ProgressText, TellsRateAndTimeLeftOnceTheyMeanSomething) {
    const backup::Progress quarter{
        .what = "backing up", .done = std::uint64_t{5} << 20, .total = std::uint64_t{20} << 20};
    EXPECT_EQ(progress_text(quarter, Millis(100)),
              "backing up [#####               ]  25 %, 5MB of 20MB");
    EXPECT_EQ(progress_text(quarter, Seconds(5)),
              "backing up [#####               ]  25 %, 5MB of 20MB, 1MB/s, 0:15 left");
}

TEST(ProgressText, CountsFilesWhereBytesAreNotKnown) {
    EXPECT_EQ(progress_text({.what = "verifying", .done = 10, .total = 10, .in_bytes = false},
                            Seconds(1)),
              "verifying [####################] 100 %, 10 of 10 files");
    EXPECT_EQ(progress_text({.what = "verifying", .done = 1, .total = 10001, .in_bytes = false},
                            Seconds(1)),
              "verifying [                    ]   0 %, 1 of 10001 files, 1/s, 2:46:40 left");
}

}  // namespace
}  // namespace howdah::cli
