#include "ha/local.h"

#include <gtest/gtest.h>

namespace howdah::ha {
namespace {

TEST(FlushedBy, CountsEachNamedStandbyOnce) {
    const std::vector<Walsender> walsenders{
        {.application_name = "b", .flush = pg::Lsn(100)},
        {.application_name = "b", .flush = pg::Lsn(120)},
        {.application_name = "c", .write = pg::Lsn(100), .flush = pg::Lsn(99)},
        {.application_name = "d", .flush = pg::Lsn(500)},
    };
    EXPECT_EQ(flushed_by(walsenders, pg::Lsn(100), {"b", "c"}), 1);
    EXPECT_EQ(flushed_by(walsenders, pg::Lsn(99), {"b", "c"}), 2);
    EXPECT_EQ(flushed_by(walsenders, pg::Lsn(99), {"e"}), 0);
    EXPECT_EQ(flushed_by({{.application_name = "b"}}, pg::Lsn{}, {"b"}), 0);
}

}  // namespace
}  // namespace howdah::ha
