#include "backup/command/backup/archive_wait.h"

#include <gtest/gtest.h>

#include "backup/options/exit_code.h"
#include "backup/site_for_test.h"

namespace howdah::backup {
namespace {

class ArchiveWait : public testing::Test {
protected:
    ArchiveWait() { made_.site.options.backup.archive_timeout = Millis(0); }

    void store(const std::string& name, const std::string& sum, const std::string& ending) {
        ASSERT_TRUE(files::write_all(
            *made_.files.front(), "archive/main/15-1/0000000100000000/" + name + "-" + sum + ending,
            "wal"));
    }
    Result<std::vector<std::string>> wait(const std::string& first, const std::string& last) {
        return wait_for_archive(made_.site, made_.site.repositories.front(),
                                {.archive_id = "15-1",
                                 .first = pg::WalSegment::parse(first).value(),
                                 .last = pg::WalSegment::parse(last).value(),
                                 .data_directory = made_.data()});
    }
    /// A file of the server's pg_wal.
    void own(const std::string& name, const std::string& content) {
        made_.write_local("pg_wal/" + name, content);
    }

    SiteForTest made_{};
    const std::string one_ = "000000010000000000000001", two_ = "000000010000000000000002";
    const std::string sum_ = std::string(40, 'a'), other_sum_ = std::string(40, 'b');
};

TEST_F(ArchiveWait, FindsAllFromTheFirstToTheLast) {
    store(one_, sum_, ".gz");
    store(two_, other_sum_, "");
    const auto found = wait(one_, two_);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 2U);
    EXPECT_TRUE(found->front().ends_with(one_ + "-" + sum_ + ".gz"));
}

TEST_F(ArchiveWait, NamesTheSegmentThatDoesNotCome) {
    store(one_, sum_, "");
    store(two_ + ".partial", sum_, "");
    const auto found = wait(one_, two_);
    ASSERT_FALSE(found);
    EXPECT_EQ(exit_code_of(found.error()), ExitCode::archive_timeout);
    EXPECT_TRUE(found.error().message.contains(two_)) << "a partial one is not enough";
}

TEST_F(ArchiveWait, TwoFilesOfOneSegmentAreAFault) {
    store(one_, sum_, "");
    store(one_, other_sum_, "");
    EXPECT_EQ(exit_code_of(wait(one_, one_).error()), ExitCode::archive_duplicate);
}

TEST_F(ArchiveWait, AnotherContentUnderTheNameIsNotThisServersSegment) {
    store(one_, sum_, "");
    own(one_, "what this server wrote");
    EXPECT_EQ(exit_code_of(wait(one_, one_).error()), ExitCode::archive_timeout)
        << "the server is not done with it";
    own("archive_status/" + one_ + ".ready", "");
    EXPECT_EQ(exit_code_of(wait(one_, one_).error()), ExitCode::archive_duplicate);
    own("archive_status/" + one_ + ".done", "");
    EXPECT_TRUE(wait(one_, one_)) << "archive_command has compared them";
}

TEST_F(ArchiveWait, TheSameContentCountsBeforeTheServerIsToldSo) {
    store(one_, repo::sha1_of(bytes_of("what this server wrote")).hex(), "");
    own(one_, "what this server wrote");
    own("archive_status/" + one_ + ".ready", "");
    EXPECT_TRUE(wait(one_, one_));
}

}  // namespace
}  // namespace howdah::backup
