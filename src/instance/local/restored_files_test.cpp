#include <gtest/gtest.h>

#include <filesystem>

#include "instance/local/pg_files.h"
#include "io/files.h"

// What a restore left in a data directory, and what becomes of its settings.

namespace howdah::instance {
namespace {

namespace fs = std::filesystem;

class RestoredFiles : public ::testing::Test {
protected:
    RestoredFiles() {
        fs::remove_all(folder_);
        fs::create_directories(folder_ + "/data/global");
        fs::create_directories(folder_ + "/state");
        write("global/pg_control", "");
        write("PG_VERSION", "15\n");
        write("recovery.signal", "");
        settings_.parameters["archive_command"] = "howdah --stanza=main2 archive-push %p";
    }
    ~RestoredFiles() override { fs::remove_all(folder_); }

    void write(const std::string& name, const std::string& text) const {
        ASSERT_TRUE(io::write_file_atomically(folder_ + "/data/" + name, text));
    }
    std::string read(const std::string& name) const {
        return io::read_file(folder_ + "/data/" + name).value_or("");
    }
    PgFiles files() const {
        return {config::Postgresql{.data_dir = folder_ + "/data"}, folder_ + "/state", "pgvm7"};
    }
    void configure() const { ASSERT_TRUE(files().write_configuration(settings_, {}, {})); }

    std::string folder_ = ::testing::TempDir() + "howdah-restored-files";
    config::EffectivePostgresql settings_{};
};

constexpr auto restored_conf =
    "archive_command = 'pgbackrest --stanza=main archive-push %p'\n"
    "archive_cleanup_command = 'pg_archivecleanup /archive %r'\n"
    "primary_conninfo = 'host=old'\n"
    "restore_command = 'howdah --stanza=main archive-get %f \"%p\"'\n"
    "recovery_target_time = 'it''s noon'\n";

TEST_F(RestoredFiles, ToldByRecoverySignalUnlessAStandbysIsThere) {
    write("postgresql.auto.conf", restored_conf);
    const auto restored = files().restored();
    ASSERT_TRUE(restored);
    EXPECT_EQ(restored->target, "time it's noon");
    EXPECT_EQ(restored->stanza, "main");
    EXPECT_FALSE(restored->shuts_down);
    write("standby.signal", "");
    EXPECT_FALSE(files().restored());
}

TEST_F(RestoredFiles, LastSettingCountsAndShutdownIsSeen) {
    write("postgresql.auto.conf",
          "recovery_target_lsn = '0/1'\nrecovery_target_lsn = ''\n# recovery_target_xid = '7'\n"
          "recovery_target_action = 'shutdown'\n");
    const auto restored = files().restored();
    ASSERT_TRUE(restored);
    EXPECT_EQ(restored->target, "the end of the archive");
    EXPECT_TRUE(restored->shuts_down);
}

TEST_F(RestoredFiles, RecoversByWhatTheRestoreSaidAndRunsNoCommandOfTheOldCluster) {
    write("postgresql.auto.conf", restored_conf);
    ASSERT_TRUE(files().remember_origin({.stanzas = {"main"}}));
    configure();
    const auto left = read("postgresql.auto.conf");
    EXPECT_NE(left.find("recovery_target_time"), std::string::npos);
    EXPECT_NE(left.find("restore_command"), std::string::npos);
    for (const auto* gone : {"archive_command", "archive_cleanup_command", "primary_conninfo"}) {
        EXPECT_EQ(left.find(gone), std::string::npos) << gone;
    }
    const auto text = read("postgresql.conf");
    for (const auto* line : {"archive_command = ''\n", "archive_library = ''\n",
                             "archive_cleanup_command = ''\n", "recovery_end_command = ''\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line;
    }
}

TEST_F(RestoredFiles, NothingOfTheRecoveryIsLeftBehindIt) {
    write("postgresql.auto.conf", restored_conf);
    fs::remove(folder_ + "/data/recovery.signal");
    configure();
    EXPECT_EQ(read("postgresql.auto.conf").find("recovery_target_time"), std::string::npos);
    EXPECT_EQ(read("postgresql.auto.conf").find("restore_command"), std::string::npos);
}

TEST_F(RestoredFiles, ArchivesOnlyIntoWhatTheScopeAllows) {
    ASSERT_TRUE(files().remember_origin({.stanzas = {"main"}}));
    settings_.archive_into = "main2";
    configure();
    EXPECT_NE(read("postgresql.conf").find("--stanza=main2"), std::string::npos);
    // The scope knows of an origin that the directory does not.
    fs::remove(folder_ + "/data/howdah.origin");
    settings_.origin = ha::Origin{.stanzas = {"main2"}};
    settings_.archive_into.clear();
    configure();
    EXPECT_EQ(read("postgresql.conf").find("--stanza=main2"), std::string::npos);
    EXPECT_EQ(read("howdah.origin"), "main2\n");
}

TEST_F(RestoredFiles, WhatTheHeldCommandRunsIsWrittenAnew) {
    EXPECT_FALSE(files().write_held_archive(settings_).value());  // not made from a backup
    ASSERT_TRUE(files().remember_origin({.stanzas = {"main"}}));
    settings_.archive_into = "main2";
    configure();
    EXPECT_FALSE(files().write_held_archive(settings_).value());
    const auto file = folder_ + "/state/archive_command";
    const auto text = io::read_file(file).value();
    EXPECT_NE(text.find("--stanza=main2"), std::string::npos);
    fs::remove(file);
    EXPECT_TRUE(files().write_held_archive(settings_).value());
    EXPECT_EQ(io::read_file(file).value(), text);
    fs::remove_all(folder_ + "/state");
    EXPECT_FALSE(files().write_held_archive(settings_));  // no folder
}

TEST_F(RestoredFiles, AServerThatLeadsNothingRefusesToArchive) {
    fs::remove(folder_ + "/data/recovery.signal");
    configure();
    EXPECT_NE(read("postgresql.conf").find("--stanza=main2"), std::string::npos);
    ASSERT_TRUE(files().remember_archiving(false));
    configure();
    EXPECT_EQ(read("postgresql.conf").find("--stanza=main2"), std::string::npos);
    EXPECT_NE(read("postgresql.conf").find("not made primary by its agent"), std::string::npos);
    // Every member archives then.
    settings_.parameters["archive_mode"] = "Always";
    configure();
    EXPECT_NE(read("postgresql.conf").find("--stanza=main2"), std::string::npos);
    settings_.parameters.erase("archive_mode");
    write("postgresql.base.conf", "archive_mode = always\n");
    EXPECT_EQ(files().configured(settings_, "archive_mode"), "always");
    ASSERT_TRUE(files().remember_archiving(true));
    configure();
    EXPECT_NE(read("postgresql.conf").find("--stanza=main2"), std::string::npos);
}

TEST_F(RestoredFiles, OriginsAddUp) {
    ASSERT_TRUE(files().remember_origin({.stanzas = {"main"}}));
    ASSERT_TRUE(files().remember_origin({.stanzas = {"main2"}}));
    ASSERT_TRUE(files().remember_origin({}));
    EXPECT_EQ(files().origin()->stanzas, (std::vector<std::string>{"main", "main2"}));
}

TEST_F(RestoredFiles, MarksAreThisMembersAlone) {
    ASSERT_TRUE(files().mark_bootstrap());
    EXPECT_TRUE(files().bootstrap_begun());
    const PgFiles other(config::Postgresql{.data_dir = folder_ + "/data"}, folder_ + "/state", "b");
    EXPECT_FALSE(other.bootstrap_begun());
    ASSERT_TRUE(files().clear_bootstrap());
    EXPECT_FALSE(files().bootstrap_begun());
    ASSERT_TRUE(files().mark_command());
    EXPECT_EQ(files().classify(), ha::DataDir::broken);
}

TEST_F(RestoredFiles, HbaLinesAreAddedOnce) {
    write("pg_hba.conf", "local all all peer");
    ASSERT_TRUE(files().add_to_hba({"host all all 10.0.0.0/8 md5"}));
    ASSERT_TRUE(files().add_to_hba({"host all all 10.0.0.0/8 md5", "local all all peer"}));
    EXPECT_EQ(read("pg_hba.conf"), "local all all peer\nhost all all 10.0.0.0/8 md5\n");
}

}  // namespace
}  // namespace howdah::instance
