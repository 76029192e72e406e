#include "pg/wal_segment.h"

#include <gtest/gtest.h>

namespace howdah::pg {
namespace {

TEST(WalSegment, NameSaysTimelineAndPlace) {
    const auto segment = *WalSegment::parse("0000000200000001000000FE");
    EXPECT_EQ(segment.timeline, 2U);
    EXPECT_EQ(segment.start().text(), "1/FE000000");
    EXPECT_EQ(segment.name(), "0000000200000001000000FE");
    EXPECT_EQ(segment.next().next().name(), "000000020000000200000000");
    EXPECT_EQ(segment.next(1U << 20).name(), "0000000200000001000000FF");
}

TEST(WalSegment, HoldsTheLsn) {
    EXPECT_EQ(WalSegment::at(1, *Lsn::parse("0/1F000028")).name(), "00000001000000000000001F");
    EXPECT_EQ(WalSegment::at(1, *Lsn::parse("16/B374D848"), 1U << 30).name(),
              "000000010000001600000002");
}

TEST(WalSegment, RefusesOtherNames) {
    for (const auto* name : {"", "0000000200000001000000F", "0000000200000001000000fe",
                             "0000000200000001000000FE.partial", "00000002.history"}) {
        EXPECT_FALSE(WalSegment::parse(name)) << name;
    }
}

TEST(HistoryName, IsTheTimeline) {
    EXPECT_EQ(*parse_history_name("0000000A.history"), 10U);
    EXPECT_EQ(history_name(10), "0000000A.history");
    EXPECT_FALSE(parse_history_name("0000000A.histor"));
    EXPECT_FALSE(parse_history_name("../0000A.history"));
}

}  // namespace
}  // namespace howdah::pg
