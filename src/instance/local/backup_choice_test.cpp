#include "instance/local/backup_choice.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace howdah::instance {
namespace {

constexpr std::uint64_t gigabyte = 1ULL << 30U;

std::string backup(const std::string& label, int stopped, const std::string& segment,
                   const std::string& start, const std::string& stop, const std::string& more = "",
                   int database = 1, int repository = 1) {
    return fmt::format(
        R"({{"archive":{{"start":"{2}","stop":"{2}"}},"database":{{"id":{6},"repo-key":{7}}},)"
        R"("info":{{"size":{8}}},"label":"{0}","lsn":{{"start":"{3}","stop":"{4}"}},)"
        R"("timestamp":{{"start":1,"stop":{1}}}{5}}})",
        label, stopped, segment, start, stop, more, database, repository, gigabyte);
}

std::string report(const std::string& backups) {
    return fmt::format(R"([{{"name":"main","db":[{{"id":1,"repo-key":1,"system-id":77}},)"
                       R"({{"id":1,"repo-key":2,"system-id":77}},)"
                       R"({{"id":2,"repo-key":1,"system-id":78}}],"backup":[{}]}}])",
                       backups);
}

/// On timeline 3, which left 2 at 0/20000000, which left 1 at 0/8000000.
WalGoal goal() {
    return {.system_id = "77",
            .timeline = 3,
            .flush = pg::Lsn(0x21000000),
            .history = {{1, pg::Lsn(0x8000000)}, {2, pg::Lsn(0x20000000)}}};
}

std::string chosen(const std::string& backups) {
    const auto choice = choose_backup(report(backups), goal());
    return choice ? choice->label : choice.error().message;
}

constexpr auto none = "it has no backup of this cluster's history";

TEST(BackupChoice, TakesTheNewestOfTheHistory) {
    const auto old = backup("F", 10, "000000020000000000000010", "0/10000028", "0/10000100");
    const auto next = backup("I", 20, "000000020000000000000018", "0/18000028", "0/18000100");
    const auto found = choose_backup(report(old + "," + next), goal());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->label, "I");
    EXPECT_EQ(found->repository, 1);
    EXPECT_EQ(found->wal_bytes, 0x21000000U - 0x18000028U);
    EXPECT_EQ(found->size, gigabyte);
    const auto second =
        backup("I", 20, "000000020000000000000018", "0/18000028", "0/18000100", "", 1, 2);
    EXPECT_EQ(choose_backup(report(second), goal())->repository, 2);
}

TEST(BackupChoice, LeavesWhatThePrimaryNeverHad) {
    const auto end = backup("A", 9, "000000020000000000000020", "0/1F000028", "0/20000000");
    EXPECT_EQ(chosen(end), "A") << "it ended where the timeline was left";
    const auto past = backup("B", 9, "000000020000000000000020", "0/1F000028", "0/20000001");
    EXPECT_EQ(chosen(past), none);
    const auto abandoned = backup("C", 9, "000000040000000000000020", "0/1F000028", "0/1F000100");
    EXPECT_EQ(chosen(abandoned), none);
    const auto ahead = backup("D", 9, "000000030000000000000022", "0/21000028", "0/21000100");
    EXPECT_EQ(chosen(ahead), none);
    const auto other =
        backup("E", 9, "000000020000000000000018", "0/18000028", "0/18000100", "", 2);
    EXPECT_EQ(chosen(other), none);
    const auto broken =
        backup("F", 9, "000000020000000000000018", "0/18000028", "0/18000100", R"(,"error":true)");
    EXPECT_EQ(chosen(broken), none);
    EXPECT_EQ(chosen(R"({"label":"offline"})"), none);
    EXPECT_EQ(chosen(""), none);
}

TEST(BackupChoice, LeavesWhatCostsMoreThanACopy) {
    auto later = goal();
    later.flush = pg::Lsn(0x40000000);
    const auto old = backup("F", 10, "000000020000000000000010", "0/10000028", "0/10000100");
    const auto found = choose_backup(report(old), later);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().message,
              fmt::format("since backup F of {} bytes {} bytes of WAL were written", gigabyte,
                          0x40000000U - 0x10000028U));
}

TEST(BackupChoice, WhatCannotBeReadIsNoChoice) {
    for (const auto* text : {"", "[]", "{}", "[1]", "[{},{}]"}) {
        EXPECT_FALSE(choose_backup(text, goal())) << text;
    }
}

}  // namespace
}  // namespace howdah::instance
