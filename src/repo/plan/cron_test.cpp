#include "repo/plan/cron.h"

#include <gtest/gtest.h>

namespace howdah::repo {
namespace {

WallMinute at(int year, int month, int day, int hour = 0, int minute = 0) {
    return {.year = year, .month = month, .day = day, .hour = hour, .minute = minute};
}
std::optional<WallMinute> next(std::string_view text, WallMinute when) {
    return Cron::parse(text).value().next(when);
}
std::optional<WallMinute> last(std::string_view text, WallMinute when) {
    return Cron::parse(text).value().last(when);
}

// 2026-11-30 is a Monday.
TEST(Cron, FindsTheNextAndTheLastTime) {
    const auto noon = at(2026, 11, 30, 12, 0);
    EXPECT_EQ(next("30 1 * * *", noon), at(2026, 12, 1, 1, 30));
    EXPECT_EQ(last("30 1 * * *", noon), at(2026, 11, 30, 1, 30));
    EXPECT_EQ(next("0 12 * * *", noon), at(2026, 12, 1, 12, 0)) << "after it";
    EXPECT_EQ(last("0 12 * * *", noon), noon) << "not after it";
    EXPECT_EQ(next("30 1 * * 0", noon), at(2026, 12, 6, 1, 30));
    EXPECT_EQ(next("30 1 * * 7", noon), at(2026, 12, 6, 1, 30)) << "Sunday has two numbers";
    EXPECT_EQ(last("30 1 * * sun", noon), at(2026, 11, 29, 1, 30));
    EXPECT_EQ(next("0 0 1 jan *", noon), at(2027, 1, 1));
    EXPECT_EQ(next("0 0 29 2 *", noon), at(2028, 2, 29));
    EXPECT_EQ(last("0 0 29 2 *", noon), at(2024, 2, 29));
    EXPECT_EQ(next("0 0 30 2 *", noon), std::nullopt);
    EXPECT_EQ(last("0 0 31 2 *", noon), std::nullopt);
}

TEST(Cron, ListsRangesAndStepsAreTaken) {
    const auto cron = Cron::parse("*/20,5 8-10/2 * * Mon-Fri").value();
    for (const int minute : {0, 5, 20, 40}) {
        EXPECT_TRUE(cron.matches(at(2026, 11, 30, 8, minute))) << minute;
        EXPECT_TRUE(cron.matches(at(2026, 11, 30, 10, minute))) << minute;
        EXPECT_FALSE(cron.matches(at(2026, 11, 30, 9, minute))) << minute;
        EXPECT_FALSE(cron.matches(at(2026, 11, 29, 8, minute))) << "a Sunday";
    }
    EXPECT_FALSE(cron.matches(at(2026, 11, 30, 8, 6)));
    EXPECT_TRUE(Cron::parse("50/5 * * * *").value().matches(at(2026, 11, 30, 8, 55)));
}

TEST(Cron, OfTwoDaysOneSuffices) {
    const auto cron = Cron::parse("0 0 13 * 5").value();
    EXPECT_TRUE(cron.matches(at(2026, 11, 13)));  // a Friday
    EXPECT_TRUE(cron.matches(at(2026, 11, 20)));  // another one
    EXPECT_TRUE(cron.matches(at(2026, 12, 13)));  // a Sunday
    EXPECT_FALSE(cron.matches(at(2026, 12, 14)));
    EXPECT_FALSE(Cron::parse("0 0 13 * *").value().matches(at(2026, 11, 20)));
}

TEST(Cron, WordsStandForTimes) {
    EXPECT_EQ(next("@weekly", at(2026, 11, 30)), at(2026, 12, 6));
    EXPECT_EQ(next("@hourly", at(2026, 11, 30, 23, 30)), at(2026, 12, 1));
    EXPECT_EQ(next("@monthly", at(2026, 11, 30)), at(2026, 12, 1));
}

TEST(Cron, WhatIsNoTimeIsRefusedWithTheField) {
    for (const auto& [text, field] :
         std::vector<std::pair<std::string, std::string>>{{"", "cron"},
                                                          {"* * * *", "cron"},
                                                          {"* * * * * *", "cron"},
                                                          {"@never", "cron"},
                                                          {"60 * * * *", "minute"},
                                                          {"* 24 * * *", "hour"},
                                                          {"* * 0 * *", "day of the month"},
                                                          {"* * * 13 *", "month"},
                                                          {"* * * * 8", "day of the week"},
                                                          {"* * * * mo", "day of the week"},
                                                          {"5-1 * * * *", "minute"},
                                                          {"*/0 * * * *", "minute"},
                                                          {"1/2/3 * * * *", "minute"},
                                                          {"1,,2 * * * *", "minute"},
                                                          {"-1 * * * *", "minute"},
                                                          {"1-2-3 * * * *", "minute"}}) {
        const auto cron = Cron::parse(text);
        ASSERT_FALSE(cron) << text;
        EXPECT_TRUE(cron.error().message.contains(field)) << cron.error().message;
        EXPECT_FALSE(cron.error().hint.empty());
    }
}

TEST(Cron, NextAndLastAgreeWithTheMinutesThatMatch) {
    for (const auto* text : {"*/7 3,4 * * *", "0 */5 1-7 * 1", "59 23 31 12 *", "15 0 * 2 *"}) {
        const auto cron = Cron::parse(text).value();
        auto when = at(2026, 12, 30, 23, 58);
        for (int i = 0; i < 50; ++i) {
            const auto found = cron.next(when);
            ASSERT_TRUE(found) << text;
            EXPECT_TRUE(cron.matches(*found) && *found > when) << text;
            EXPECT_EQ(cron.last(*found), *found) << text;
            when = *found;
        }
    }
}

}  // namespace
}  // namespace howdah::repo
