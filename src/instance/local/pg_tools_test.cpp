#include "instance/local/pg_tools.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "instance/local/pg_files.h"

namespace howdah::instance {
namespace {

pg::Lsn lsn(const char* text) {
    return *pg::Lsn::parse(text);
}

TEST(WalEnd, ReadsWhatPgWaldumpPrints) {
    const auto zeros = parse_wal_end(
        "pg_waldump: error: error in WAL record at 0/658CB0: invalid record length at 0/658CD8: "
        "wanted 24, got 0\n");
    EXPECT_EQ(zeros.kind, WalEnd::Kind::at);
    EXPECT_EQ(zeros.lsn, lsn("0/658CD8"));
    const auto recycled = parse_wal_end(
        "pg_waldump: error: error in WAL record at 0/6A7B30: unexpected pageaddr 0/500000 in log "
        "segment 000000010000000000000007, offset 0\n");
    EXPECT_EQ(recycled.kind, WalEnd::Kind::after_record);
    EXPECT_EQ(recycled.lsn, lsn("0/6A7B30"));
    EXPECT_EQ(parse_wal_end("pg_waldump: error: could not find file \"000000010000000000000008\": "
                            "No such file or directory\n")
                  .kind,
              WalEnd::Kind::after_last);
    EXPECT_EQ(parse_wal_end("").kind, WalEnd::Kind::after_last);
    EXPECT_EQ(
        parse_wal_end("pg_waldump: error: could not find a valid record after 0/700000\n").kind,
        WalEnd::Kind::nothing_after_start);
}

TEST(WalEnd, AddsPageHeadersToALongRecord) {
    const Control control;
    EXPECT_EQ(end_of_record(lsn("0/1000028"), 114, control), lsn("0/10000A0"));
    // 0x2000 - 0x1FF8 = 8 bytes on this page, 24 bytes of header, 92 left.
    EXPECT_EQ(end_of_record(lsn("0/1001FF8"), 100, control), pg::Lsn(0x1002000 + 24 + 92 + 4));
    EXPECT_EQ(end_of_record(lsn("0/1FFFFF8"), 16, control), pg::Lsn(0x2000000 + 40 + 8));
}

TEST(WalEnd, AtAPageBoundaryTheHeaderIsNotCounted) {
    const Control control;
    EXPECT_EQ(before_page_header(lsn("0/1002018"), control), lsn("0/1002000"));
    EXPECT_EQ(before_page_header(lsn("0/2000028"), control), lsn("0/2000000"));
    EXPECT_EQ(before_page_header(lsn("0/2000018"), control), lsn("0/2000018"));
    EXPECT_EQ(before_page_header(lsn("0/1002020"), control), lsn("0/1002020"));
}

TEST(WalEnd, ASwitchEndsItsSegment) {
    Control control;
    control.wal_segment_bytes = 1U << 20U;
    const auto end = parse_last_record_end(
        "rmgr: XLOG        len (rec/tot):     24/    24, tx:          0, lsn: 0/007797C8, prev "
        "0/007797A0, desc: SWITCH \n",
        control);
    ASSERT_TRUE(end);
    EXPECT_EQ(*end, lsn("0/800000"));
    const auto plain = parse_last_record_end(
        "rmgr: XLOG        len (rec/tot):    114/   114, tx:          0, lsn: 0/00728AE0, prev "
        "0/00728AB8, desc: CHECKPOINT_SHUTDOWN redo 0/728AE0\n",
        control);
    ASSERT_TRUE(plain);
    EXPECT_EQ(*plain, lsn("0/728B58"));
}

TEST(PgFiles, WhereARestoreWasBrokenOffThereIsNoCluster) {
    char name[] = "/tmp/howdah-files-XXXXXX";
    const std::string data = mkdtemp(name);
    const PgFiles files({.data_dir = data}, data + ".howdah");
    const auto put = [&](const char* file) { std::ofstream(data + file) << "x"; };
    EXPECT_EQ(files.classify(), ha::DataDir::empty);
    std::filesystem::create_directory(data + "/global");
    EXPECT_EQ(files.classify(), ha::DataDir::broken);
    put("/global/pg_control");
    EXPECT_EQ(files.classify(), ha::DataDir::initialized);
    put("/backup.manifest");
    EXPECT_EQ(files.classify(), ha::DataDir::broken);
    put("/postmaster.pid");  // no restore begins beside it: the server is whole
    EXPECT_EQ(files.classify(), ha::DataDir::initialized);
    std::filesystem::remove_all(data);
}

TEST(PgFiles, ConninfoQuotesWhatNeedsIt) {
    EXPECT_EQ(render_conninfo({{"host", "10.0.0.1"}, {"password", "it's \\"}, {"user", ""}}),
              R"(host=10.0.0.1 password='it\'s \\')");
}

TEST(PgFiles, ConfigurationIsSortedAndQuoted) {
    config::EffectivePostgresql settings;
    settings.parameters = {{"work_mem", "4MB"}, {"archive_command", "cp '%p' /x/%f"}};
    const auto text = render_postgresql_conf(
        settings,
        {.upstream = ha::Upstream{.name = "b", .host = "10.0.0.2", .port = 5432},
         .member = "a-1",
         .pgpass = "/p",
         .replication = {.username = "repl"}},
        "postgresql.base.conf", "/data", 15);
    EXPECT_NE(text.find("include 'postgresql.base.conf'\n\narchive_command = 'cp ''%p'' /x/%f'\n"
                        "hba_file = '/data/pg_hba.conf'\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("recovery_init_sync_method = 'syncfs'\n"), std::string::npos);
    EXPECT_NE(text.find("primary_conninfo = 'user=repl passfile=/p host=10.0.0.2 port=5432 "
                        "sslmode=prefer application_name=a-1'\nprimary_slot_name = 'a_1'\n"),
              std::string::npos)
        << text;
}

TEST(PgFiles, ClonedAutoConfLosesItsRecoveryParameters) {
    EXPECT_EQ(without_recovery_parameters("# x\nprimary_conninfo = 'a'\nwork_mem = '1MB'\n"
                                          "recovery_target_lsn='0/1'\n"),
              "# x\nwork_mem = '1MB'\n");
    EXPECT_EQ(without_recovery_parameters("synchronous_standby_names='x'\nwork_mem = '1MB'\n",
                                          {"synchronous_standby_names"}),
              "work_mem = '1MB'\n");
    // As PostgreSQL reads names.
    EXPECT_EQ(without_recovery_parameters("Archive_Command = 'a'\n\rarchive_command='b'\n"
                                          "ARCHIVE_COMMAND'c'\nPrimary_ConnInfo 'd'\n"
                                          "archive_command_x = 'e'\n",
                                          {"archive_command"}),
              "archive_command_x = 'e'\n");
}

}  // namespace
}  // namespace howdah::instance
