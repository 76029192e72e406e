#include "repo/plan/retention.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace howdah::repo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t day = 86400;

Label label(const std::string& text) {
    return *Label::parse(text);
}

/// Backup of day `n`, which stops at n days and needs WAL n*16 to n*16+1.
struct Stanza {
    BackupInfo info{.current = 1, .history = {{1, {.system_id = 7, .version = "15"}}}};

    Label add(int n, char type, std::uint32_t id = 1, int timeline = 1) {
        const auto stamp = fmt::format("202601{:02}-000000", n);
        auto text = stamp + type;
        BackupSummary backup{.wal_start = fmt::format("{:08X}00000000{:08X}", timeline, n * 16),
                             .wal_stop = fmt::format("{:08X}00000000{:08X}", timeline, n * 16 + 1),
                             .started = n * day,
                             .stopped = n * day,
                             .history_id = id};
        if (type != 'F') {
            text = last_full.text() + "_" + text;
            backup.prior = type == 'D' ? last_full : last;
        }
        last = label(text);
        if (type == 'F') {
            last_full = last;
        }
        backup.type = last.type();
        info.backups[last] = backup;
        return last;
    }

    std::vector<std::string> kept(const Retention& retention, int today = 0) const {
        std::vector<std::string> texts;
        for (const auto& fate : backup_fates(info, retention, today * day)) {
            EXPECT_FALSE(fate.why.empty());
            if (fate.stays) {
                texts.push_back(fate.label.text().substr(fate.label.text().size() - 10, 2) +
                                fate.label.text().back());
            }
        }
        return texts;
    }

    Label last{};
    Label last_full{};
};

Stanza three_weeks() {
    Stanza stanza;
    for (int week = 0; week < 3; ++week) {
        stanza.add(1 + 7 * week, 'F');
        stanza.add(2 + 7 * week, 'I');
        stanza.add(3 + 7 * week, 'D');
        stanza.add(4 + 7 * week, 'I');
    }
    return stanza;
}

TEST(Retention, WithoutSettingsEverythingStays) {
    EXPECT_EQ(three_weeks().kept({}).size(), 12U);
}

TEST(Retention, FullByCountTakesWholeChains) {
    EXPECT_THAT(three_weeks().kept({.full = 2}),
                ElementsAre("08F", "09I", "10D", "11I", "15F", "16I", "17D", "18I"));
    EXPECT_THAT(three_weeks().kept({.full = 1}), ElementsAre("15F", "16I", "17D", "18I"));
    EXPECT_EQ(three_weeks().kept({.full = 5}).size(), 12U);
}

TEST(Retention, FullByTimeKeepsTheOneThatReachesBack) {
    const auto stanza = three_weeks();
    // 7 days before day 16 is day 9: the full of day 8 is needed to get there.
    EXPECT_THAT(stanza.kept({.full = 7, .full_by_time = true}, 16),
                ElementsAre("08F", "09I", "10D", "11I", "15F", "16I", "17D", "18I"));
    EXPECT_EQ(stanza.kept({.full = 30, .full_by_time = true}, 16).size(), 12U);
    EXPECT_THAT(stanza.kept({.full = 1, .full_by_time = true}, 60),
                ElementsAre("15F", "16I", "17D", "18I"));
}

TEST(Retention, DiffCountsFullsToo) {
    // The newest 2 of 17D, 15F, 10D, ...: 17D and 15F. Other diffs go with what needs them.
    EXPECT_THAT(three_weeks().kept({.full = 2, .diff = 2}),
                ElementsAre("08F", "09I", "15F", "16I", "17D", "18I"));
    EXPECT_THAT(three_weeks().kept({.diff = 1}),
                ElementsAre("01F", "02I", "08F", "09I", "15F", "16I", "17D", "18I"));
}

TEST(Retention, SaysWhy) {
    const auto fates = backup_fates(three_weeks().info, {.full = 1, .diff = 1}, 0);
    EXPECT_EQ(fates[0].why, "older than the newest 1 full backup");
    EXPECT_EQ(fates[1].why, "needs 20260101-000000F, which goes");
    EXPECT_EQ(fates[8].why, "one of the newest 1 full backup");
    EXPECT_EQ(fates[10].why, "one of the newest 1 full or differential backups");
}

TEST(Retention, OfASetTakesItsDependantsAndSparesTheLastFull) {
    const auto stanza = three_weeks();
    const auto fates = fates_without(stanza.info, label("20260108-000000F_20260110-000000D"));
    ASSERT_TRUE(fates);
    EXPECT_EQ(after(stanza.info, *fates).backups.size(), 10U);
    EXPECT_EQ(
        after(stanza.info, *fates_without(stanza.info, label("20260115-000000F"))).backups.size(),
        8U);
    Stanza one;
    const auto full = one.add(1, 'F');
    EXPECT_EQ(fates_without(one.info, full).error().code, Errc::unsafe);
    EXPECT_EQ(fates_without(one.info, label("20260115-000000F")).error().code, Errc::not_found);
}

std::string segment(int n, int timeline = 1) {
    return fmt::format("{:08X}00000000{:08X}", timeline, n);
}

TEST(WalRetention, EverythingSinceTheNthFullStaysAndOldBackupsKeepTheirOwn) {
    const auto stanza = three_weeks();
    const auto fates = wal_fates(stanza.info, {.full = 3, .archive = 1});
    ASSERT_EQ(fates.size(), 1U);
    const auto& fate = fates[0];
    EXPECT_FALSE(fate.stays_whole);
    EXPECT_FALSE(fate.keeps(segment(5)));
    EXPECT_TRUE(fate.keeps(segment(16)));
    EXPECT_TRUE(fate.keeps(segment(17)));
    EXPECT_FALSE(fate.keeps(segment(18)));
    EXPECT_FALSE(fate.keeps(segment(18) + "-" + std::string(40, 'a') + ".gz"));
    EXPECT_FALSE(fate.keeps(segment(18) + ".00000028.backup"));
    EXPECT_FALSE(fate.keeps(segment(18) + ".partial-" + std::string(40, 'a')));
    EXPECT_TRUE(fate.keeps(segment(16) + ".00000028.backup"));
    EXPECT_TRUE(fate.keeps("somebody's notes"));
    EXPECT_TRUE(fate.keeps(segment(15 * 16)));
    EXPECT_TRUE(fate.keeps(segment(15 * 16 + 9)));
    EXPECT_TRUE(fate.keeps(segment(1, 9)));
    EXPECT_TRUE(fate.keeps_some_of("0000000100000000"));
    EXPECT_FALSE(fate.keeps_some_of("0000000000000000"));
    EXPECT_TRUE(fate.keeps_some_of("0000000900000000"));
    EXPECT_THAT(fate.why, HasSubstr("20260115-000000F"));
}

TEST(WalRetention, TooFewBackupsKeepEverything) {
    const auto stanza = three_weeks();
    EXPECT_TRUE(wal_fates(stanza.info, {})[0].stays_whole);
    EXPECT_TRUE(wal_fates(stanza.info, {.full = 4})[0].stays_whole);
    EXPECT_FALSE(wal_fates(stanza.info, {.full = 3})[0].stays_whole);
    EXPECT_TRUE(
        wal_fates({.current = 1, .history = stanza.info.history}, {.full = 1})[0].stays_whole);
}

TEST(WalRetention, AnOfflineBackupCannotSayFromWhereOn) {
    auto stanza = three_weeks();
    stanza.info.backups[label("20260115-000000F")].wal_start.reset();
    const auto fate = wal_fates(stanza.info, {.full = 1})[0];
    EXPECT_TRUE(fate.keeps(segment(8 * 16)));
    EXPECT_TRUE(fate.keeps(segment(8 * 16 + 5)));
}

TEST(WalRetention, AFormerClusterWithoutBackupsGoesWhole) {
    Stanza stanza;
    stanza.info.history[2] = {.system_id = 8, .version = "16"};
    stanza.info.current = 2;
    stanza.add(1, 'F', 2);
    const auto fates = wal_fates(stanza.info, {.full = 1});
    EXPECT_FALSE(fates[0].keeps(segment(1)));
    EXPECT_FALSE(fates[0].keeps("00000002.history"));
    EXPECT_FALSE(fates[0].keeps_some_of("0000000100000000"));
    EXPECT_TRUE(fates[1].keeps(segment(16)));
}

TEST(WalRetention, HistoryOfOlderTimelinesGoes) {
    Stanza stanza;
    stanza.add(1, 'F', 1, 1);
    stanza.add(2, 'F', 1, 3);
    const auto fate =
        wal_fates(after(stanza.info, backup_fates(stanza.info, {.full = 1}, 0)), {.full = 1})[0];
    EXPECT_FALSE(fate.keeps("00000002.history"));
    EXPECT_TRUE(fate.keeps("00000003.history"));
    EXPECT_FALSE(fate.keeps(segment(500, 2)));
}

TEST(HistoryRetention, CurrentBackupsStay) {
    const auto stanza = three_weeks();
    const auto since = std::chrono::local_days(std::chrono::year(2026) / 1 / 10);
    EXPECT_TRUE(history_stays(label("20260101-000000F"), stanza.info, since));
    EXPECT_FALSE(history_stays(label("20260101-000001F"), stanza.info, since));
    EXPECT_TRUE(history_stays(label("20260101-000001F"), stanza.info, {}));
    EXPECT_TRUE(history_stays(label("20260101-000000F_20260110-000000I"), stanza.info, since));
    EXPECT_FALSE(history_stays(label("20260101-000000F_20260109-235959I"), stanza.info, since));
}

}  // namespace
}  // namespace howdah::repo
