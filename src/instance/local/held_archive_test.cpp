#include "instance/local/held_archive.h"

#include <gtest/gtest.h>

#include "io/files.h"

namespace howdah::instance {
namespace {

class HeldArchive : public ::testing::Test {
protected:
    Result<std::string> released(const std::string& command) const {
        EXPECT_TRUE(io::write_file_atomically(file_, command));
        return release_archive_command(file_, "pg_wal/000000020000000000000003",
                                       "000000020000000000000003");
    }
    std::string file_ = ::testing::TempDir() + "howdah-held-archive";
};

TEST_F(HeldArchive, NothingIsReleasedWithoutACommand) {
    EXPECT_EQ(release_archive_command(file_ + "-missing", "p", "f").error().code,
              Errc::unavailable);
    EXPECT_EQ(released("").error().code, Errc::unavailable);
}

TEST_F(HeldArchive, PathAndNameArePutInAsByPostgresql) {
    EXPECT_EQ(released("cp \"%p\" /a/%f && date +%%s").value(),
              "cp \"pg_wal/000000020000000000000003\" /a/000000020000000000000003 && date +%s");
}

TEST_F(HeldArchive, NamesWithSpacesAndPercentSignsAreOneWord) {
    const auto command = held_archive_command("/opt/my howdah", "/state/100%");
    EXPECT_TRUE(command.starts_with("'/opt/my howdah' archive-held '/state/100%%' %p %f "))
        << command;
    EXPECT_NE(command.find("pgbackrest"), std::string::npos);
}

}  // namespace
}  // namespace howdah::instance
