#include "base/nearest.h"

#include <gtest/gtest.h>

namespace howdah {
namespace {

TEST(Nearest, FindsTheWordBehindATypo) {
    const std::vector<std::string> known{"data_dir", "bin_dir", "listen"};
    EXPECT_EQ(nearest("datadir", known), "data_dir");
    EXPECT_EQ(nearest("lisen", known), "listen");
}

TEST(Nearest, FindsNothingForAStranger) {
    EXPECT_EQ(nearest("archive_mode", {"data_dir", "listen"}), std::nullopt);
}

TEST(EditDistance, CountsSingleChanges) {
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

}  // namespace
}  // namespace howdah
