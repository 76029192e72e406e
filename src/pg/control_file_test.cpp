#include "pg/control_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace howdah::pg {
namespace {

// Real files are read in src/repo/restore_driver_test.cpp.
TEST(ControlFile, DamageIsNotTaken) {
    for (const std::size_t size : {0U, 8U, 300U, 8192U}) {
        std::vector<std::byte> file(size, std::byte{7});
        EXPECT_EQ(ControlFile::parse(file).error().code, Errc::corrupt);
        EXPECT_FALSE(invalidate_checkpoint(file));
    }
}

}  // namespace
}  // namespace howdah::pg
