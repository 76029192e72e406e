#include <gtest/gtest.h>

#include "ha/member.h"

namespace howdah::ha {
namespace {

Member::Tags tags(const std::string& json) {
    return Member{.tags_json = json}.tags();
}

TEST(Tags, InEverySpelling) {
    for (const auto* yes : {"true", "\"true\"", "\"True\"", "\"on\"", "\"yes\"", "1", "\"1\""}) {
        const auto t = tags(std::string(R"({"nofailover": )") + yes + R"(, "nosync": )" + yes +
                            R"(, "noloadbalance": )" + yes + "}");
        EXPECT_TRUE(t.nofailover && t.nosync && t.noloadbalance) << yes;
    }
    for (const auto* no : {"false", "\"false\"", "0", "\"0\"", "null", "\"\"", "[]", "\"maybe\""}) {
        const auto t = tags(std::string(R"({"nofailover": )") + no + R"(, "nosync": )" + no + "}");
        EXPECT_FALSE(t.nofailover || t.nosync) << no;
    }
    EXPECT_FALSE(tags("").nofailover || tags("[]").nofailover || tags("no JSON").nofailover);
}

TEST(Tags, PrioritiesOfNothingMeanNever) {
    EXPECT_TRUE(tags(R"({"failover_priority": 0})").nofailover);
    EXPECT_TRUE(tags(R"({"failover_priority": "-1"})").nofailover);
    EXPECT_TRUE(tags(R"({"sync_priority": 0})").nosync);
    EXPECT_FALSE(tags(R"({"failover_priority": 2, "sync_priority": 3})").nofailover);
    EXPECT_EQ(tags(R"({"failover_priority": "2"})").failover_priority, 2);
    EXPECT_EQ(tags(R"({"sync_priority": 3})").sync_priority, 3);
    EXPECT_EQ(tags(R"({"sync_priority": "x"})").sync_priority, 1);
}

TEST(Tags, TheFlagBeatsThePriority) {
    EXPECT_FALSE(tags(R"({"nofailover": false, "failover_priority": 0})").nofailover);
    EXPECT_TRUE(tags(R"({"nofailover": true, "failover_priority": 7})").nofailover);
    EXPECT_FALSE(tags(R"({"nosync": false, "sync_priority": 0})").nosync);
}

}  // namespace
}  // namespace howdah::ha
