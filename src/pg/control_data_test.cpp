#include "pg/control_data.h"

#include <gtest/gtest.h>

namespace howdah::pg {
namespace {

/// What pg_controldata 15 printed, less what nobody reads.
constexpr auto printed = R"(pg_control version number:            1300
Database system identifier:           7711488222421303135
Database cluster state:               in archive recovery
pg_control last modified:             Mon Nov 23 21:52:46 2026
Latest checkpoint location:           0/17529B0
Latest checkpoint's REDO location:    0/1752978
Latest checkpoint's REDO WAL file:    000000010000000000000001
Latest checkpoint's TimeLineID:       1
Latest checkpoint's PrevTimeLineID:   1
Latest checkpoint's oldestCommitTsXid:0
Minimum recovery ending location:     0/3000110
Min recovery ending loc's timeline:   2
wal_log_hints setting:                on
max_connections setting:              100
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
WAL block size:                       8192
Bytes per WAL segment:                67108864
Data page checksum version:           1
)";

TEST(ControlData, ReadsWhatPgControldataPrints) {
    const auto control = parse_control(printed).value();
    EXPECT_EQ(control.data.state, "in archive recovery");
    EXPECT_EQ(control.data.system_id, "7711488222421303135");
    EXPECT_EQ(control.data.timeline, 1U);
    EXPECT_EQ(control.data.checkpoint.text(), "0/17529B0");
    EXPECT_EQ(control.data.redo.text(), "0/1752978");
    EXPECT_EQ(control.data.min_recovery.text(), "0/3000110");
    EXPECT_EQ(control.data.min_recovery_timeline, 2U);
    EXPECT_TRUE(control.data.data_checksums);
    EXPECT_TRUE(control.data.wal_log_hints);
    EXPECT_EQ(control.wal_segment_bytes, 64U << 20U);
}

TEST(ControlData, NamesSettingsAsPostgresqlDoes) {
    const std::map<std::string, std::string> expected{{"max_connections", "100"},
                                                      {"max_worker_processes", "8"},
                                                      {"max_wal_senders", "10"},
                                                      {"max_prepared_transactions", "0"},
                                                      {"max_locks_per_transaction", "64"}};
    EXPECT_EQ(parse_control(printed).value().settings, expected);
}

TEST(ControlData, RefusesOtherOutput) {
    const auto refused = parse_control("pg_controldata: error: could not open file \"x\"\n");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::corrupt);
    EXPECT_NE(refused.error().message.find("could not open file"), std::string::npos);
}

}  // namespace
}  // namespace howdah::pg
