#include "pg/sync_standbys.h"

#include <gtest/gtest.h>

namespace howdah::pg {
namespace {

using Method = SyncStandbys::Method;

TEST(SyncStandbys, ReadsEveryFormOfTheParameter) {
    const auto read = [](const char* text) { return SyncStandbys::parse(text).value(); };
    EXPECT_EQ(read(" "), SyncStandbys{});
    EXPECT_EQ(read("b"), (SyncStandbys{Method::first, 1, {"b"}}));
    EXPECT_EQ(read("b, \"c-1\""), (SyncStandbys{Method::first, 1, {"b", "c-1"}}));
    EXPECT_EQ(read("2 (\"n-1\",n2)"), (SyncStandbys{Method::first, 2, {"n-1", "n2"}}));
    EXPECT_EQ(read("FIRST 2 (a, b)"), (SyncStandbys{Method::first, 2, {"a", "b"}}));
    EXPECT_EQ(read("any 1(*)"), (SyncStandbys{Method::any, 1, {"*"}}));
    EXPECT_EQ(read("first, any"), (SyncStandbys{Method::first, 1, {"first", "any"}}));
    EXPECT_EQ(read("\"a\"\"b\""), (SyncStandbys{Method::first, 1, {"a\"b"}}));
}

TEST(SyncStandbys, RefusesWhatPostgresqlRefuses) {
    for (const auto* text : {"a b", "a,", ",a", "ANY 1 (a", "ANY 0 (a)", "ANY 1 ()", "a-b", "\"a",
                             "\"\"", "ANY (a)", "2 (a b)"}) {
        EXPECT_FALSE(SyncStandbys::parse(text)) << text;
    }
}

TEST(SyncStandbys, GivesAStandbyThePriorityThatItsWalsenderShows) {
    const auto first = SyncStandbys::parse("FIRST 1 (b, C)").value();
    EXPECT_EQ(first.priority_of("b"), 1);
    EXPECT_EQ(first.priority_of("c"), 2);
    EXPECT_EQ(first.priority_of("d"), 0);
    EXPECT_EQ(SyncStandbys::parse("ANY 2 (b, c)").value().priority_of("c"), 1);
    EXPECT_EQ(SyncStandbys::parse("*").value().priority_of("whoever"), 1);
    EXPECT_EQ(SyncStandbys{}.priority_of("b"), 0);
}

}  // namespace
}  // namespace howdah::pg
