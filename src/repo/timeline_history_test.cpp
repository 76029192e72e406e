#include "repo/timeline_history.h"

#include <gmock/gmock.h>

#include "pg/reserved_timeline.h"

namespace howdah::repo {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t size = pg::WalSegment::default_size;

/// Segment `number`, and where it begins.
pg::WalSegment segment(pg::Timeline timeline, std::uint32_t number) {
    return {.timeline = timeline, .segment = number};
}
pg::Lsn start(std::uint32_t number) {
    return segment(1, number).start();
}

TEST(TimelineHistory, WhatLiesBeforeABranchWasWrittenAsAWhole) {
    const Histories one{{2, {{1, pg::Lsn(start(7).bytes() + 0x60)}}}};
    EXPECT_TRUE(is_known_to_be_whole(segment(1, 6), size, one));
    EXPECT_FALSE(is_known_to_be_whole(segment(1, 7), size, one)) << "the branch lies in it";
    EXPECT_FALSE(is_known_to_be_whole(segment(1, 8), size, one));
    EXPECT_FALSE(is_known_to_be_whole(segment(2, 7), size, one)) << "nothing came from it";
    EXPECT_FALSE(is_known_to_be_whole(segment(1, 6), size, {}));
    const Histories at_the_end{{2, {{1, start(7)}}}};
    EXPECT_TRUE(is_known_to_be_whole(segment(1, 6), size, at_the_end));
    EXPECT_FALSE(is_known_to_be_whole(segment(1, 7), size, at_the_end));
}

TEST(TimelineHistory, ABranchIsKnownThroughThoseBehindIt) {
    const Histories third{{4, {{1, start(3)}, {2, start(7)}, {3, start(9)}}}};
    EXPECT_TRUE(is_known_to_be_whole(segment(1, 2), size, third));
    EXPECT_TRUE(is_known_to_be_whole(segment(2, 6), size, third));
    EXPECT_TRUE(is_known_to_be_whole(segment(3, 8), size, third));
    EXPECT_FALSE(is_known_to_be_whole(segment(3, 9), size, third));
    EXPECT_FALSE(is_known_to_be_whole(segment(3, 6), size, third)) << "before timeline 3 began";
    EXPECT_TRUE(is_before_timeline(segment(3, 6), size, third));
    EXPECT_FALSE(is_before_timeline(segment(3, 7), size, third));
    EXPECT_TRUE(is_before_timeline(segment(4, 8), size, third));
    EXPECT_THAT(ancestors_of(3, third), ElementsAre(1, 2));
    EXPECT_THAT(ancestors_of(4, third), ElementsAre(1, 2, 3));
    EXPECT_THAT(ancestors_of(5, third), IsEmpty());
}

TEST(TimelineHistory, TheLatestOfSeveralBranchesCounts) {
    const Histories two{{2, {{1, start(3)}}}, {3, {{1, start(7)}}}};
    EXPECT_TRUE(is_known_to_be_whole(segment(1, 6), size, two));
    EXPECT_FALSE(is_known_to_be_whole(segment(1, 7), size, two));
}

TEST(TimelineHistory, AReservedTimelineSaysNothing) {
    const Histories reserved{{2, *pg::parse_history(pg::reserved_history)}};
    EXPECT_FALSE(is_known_to_be_whole(segment(1, 0), size, reserved));
    EXPECT_FALSE(is_known_to_be_whole(segment(1, 6), size, reserved));
}

TEST(TimelineHistory, SegmentsMayHaveAnotherSize) {
    const Histories one{{2, {{1, pg::Lsn(0x7000060)}}}};
    EXPECT_TRUE(is_known_to_be_whole(segment(1, 0x6F), 1U << 20, one));
    EXPECT_FALSE(is_known_to_be_whole(segment(1, 0x70), 1U << 20, one));
}

}  // namespace
}  // namespace howdah::repo
