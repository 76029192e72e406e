#include "repo/info/label.h"

#include <gtest/gtest.h>

namespace howdah::repo {
namespace {

std::chrono::local_seconds at(int hour, int minute, int second) {
    using namespace std::chrono;
    return local_days(year(2026) / 11 / 23) + hours(hour) + minutes(minute) + seconds(second);
}

TEST(Label, KnowsItsTypeAndItsFullBackup) {
    EXPECT_EQ(Label::parse("20261123-075956F")->type(), BackupType::full);
    const auto incr = *Label::parse("20261123-075956F_20261123-080001I");
    EXPECT_EQ(incr.type(), BackupType::incr);
    EXPECT_EQ(incr.full().text(), "20261123-075956F");
    EXPECT_EQ(incr.year(), "2026");
    EXPECT_EQ(Label::parse("20261123-075956F_20261123-080001D")->type(), BackupType::diff);
}

TEST(Label, RefusesWhatIsNone) {
    for (const auto* text :
         {"", "latest", "20261123-075956", "20261123-075956D", "20261123-075956F_",
          "20261123-075956F_20261123-080001F", "../61123-075956F", "20261123-075956F/..",
          "20261123-075956F_20261123-080001I ", "2026112x-075956F"}) {
        EXPECT_FALSE(Label::parse(text)) << text;
    }
}

TEST(Label, NextOneComesFromTheClock) {
    EXPECT_EQ(next_label({.type = BackupType::full, .now = at(7, 59, 56)})->text(),
              "20261123-075956F");
    EXPECT_EQ(next_label({.type = BackupType::incr,
                          .full = *Label::parse("20261123-075956F"),
                          .now = at(8, 0, 1),
                          .newest = *Label::parse("20261123-075956F")})
                  ->text(),
              "20261123-075956F_20261123-080001I");
}

TEST(Label, NextOneIsGreaterByASecondOrRefused) {
    const auto newest = *Label::parse("20261122-235959F");
    auto wanted = NextLabel{.type = BackupType::full, .now = at(0, 0, 0) - std::chrono::seconds(1)};
    wanted.newest = newest;
    EXPECT_EQ(next_label(wanted)->text(), "20261123-000000F");
    wanted.now -= std::chrono::seconds(1);
    EXPECT_EQ(next_label(wanted).error().code, Errc::conflict);
}

}  // namespace
}  // namespace howdah::repo
