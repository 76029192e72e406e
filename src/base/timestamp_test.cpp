#include "base/timestamp.h"

#include <gtest/gtest.h>

namespace howdah {
namespace {

TEST(Iso8601, ZoneCountsInEverySpelling) {
    for (const auto* text : {"2030-01-02T03:04:05+02:00", "2030-01-02 01:04:05Z",
                             "2030-01-02T06:34:05.250+0530", "2030-01-01T23:04:05-02"}) {
        const auto when = parse_iso8601(text);
        ASSERT_TRUE(when) << text;
        EXPECT_TRUE(when->has_zone) << text;
        EXPECT_EQ(when->seconds, 1893546245) << text;
    }
    EXPECT_FALSE(parse_iso8601("2030-01-02T03:04")->has_zone);
}

TEST(Iso8601, OtherTextIsNone) {
    for (const auto* text : {"", "soon", "2030-13-01T00:00", "2030-01-01T25:00", "2030-01-01"}) {
        EXPECT_FALSE(parse_iso8601(text)) << text;
    }
}

}  // namespace
}  // namespace howdah
