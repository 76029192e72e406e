#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "files/fake/memory_files.h"
#include "files/posix/posix_files.h"
#include "files/remote/host_for_test.h"
#include "files/s3/bucket_for_test.h"

namespace howdah::files {
namespace {

/// What all of them promise (files.h), on each of them.
class FilesContract : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        if (GetParam() == "memory") {
            files_ = std::make_unique<MemoryFiles>();
            return;
        }
        if (GetParam() == "s3") {
            bucket_ = std::make_unique<BucketForTest>();
            files_ = std::make_unique<S3Files>(bucket_->options());
            return;
        }
        char name[] = "/tmp/howdah-files-XXXXXX";
        folder_ = mkdtemp(name);
        files_ = std::make_unique<PosixFiles>(folder_ + "/repo");
        if (GetParam() == "remote") {
            host_ = std::make_unique<HostForTest>(std::move(files_));
            files_ = host_->client();
        }
    }
    bool has_links() const { return GetParam() != "s3"; }
    void TearDown() override {
        files_.reset();
        host_.reset();
        if (!folder_.empty()) {
            std::filesystem::remove_all(folder_);
        }
    }
    std::vector<std::string> names(std::string_view folder) {
        std::vector<std::string> all;
        EXPECT_TRUE(files_->list(folder, [&](const Entry& entry) {
            all.push_back(entry.path);
            return Result<>{};
        }));
        return all;
    }

    std::string folder_{};
    std::unique_ptr<BucketForTest> bucket_{};
    std::unique_ptr<HostForTest> host_{};
    std::unique_ptr<Files> files_{};
};

TEST_P(FilesContract, AFileIsReadAsItWasWritten) {
    const std::string content = "line\n" + std::string(200'000, 'x') + '\0' + "end";
    ASSERT_TRUE(write_all(*files_, "archive/demo/archive.info", content));
    EXPECT_EQ(read_all(*files_, "archive/demo/archive.info"), content);
    const auto entry = files_->stat("archive/demo/archive.info").value();
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->kind, EntryKind::file);
    EXPECT_EQ(entry->size, content.size());
}

TEST_P(FilesContract, APieceOfAFileIsRead) {
    ASSERT_TRUE(write_all(*files_, "bundle", "0123456789"));
    const auto piece = [&](ReadRange range) {
        const auto source = files_->read("bundle", range).value();
        std::string out(20, ' ');
        out.resize(source->read(std::as_writable_bytes(std::span(out))).value());
        return out;
    };
    EXPECT_EQ(piece({.offset = 3, .size = 4}), "3456");
    EXPECT_EQ(piece({.offset = 8, .size = 4}), "89");
    EXPECT_EQ(piece({.offset = 12}), "");
}

TEST_P(FilesContract, NobodySeesAFileBeforeItIsFinished) {
    ASSERT_TRUE(write_all(*files_, "a/file", "old"));
    {
        auto sink = files_->write("a/file").value();
        ASSERT_TRUE(sink->write(bytes_of("new")));
        EXPECT_EQ(read_all(*files_, "a/file"), "old");
        EXPECT_EQ(names("a"), std::vector<std::string>{"a/file"});
    }
    EXPECT_EQ(read_all(*files_, "a/file"), "old") << "it was given up";
    ASSERT_TRUE(write_all(*files_, "a/file", "new"));
    EXPECT_EQ(read_all(*files_, "a/file"), "new");
}

TEST_P(FilesContract, TwoWritersOfOneNameDoNotMeet) {
    auto first = files_->write("a/file").value();
    auto second = files_->write("a/file").value();
    ASSERT_TRUE(first->write(bytes_of("of the first")));
    ASSERT_TRUE(second->write(bytes_of("2nd")));
    ASSERT_TRUE(first->finish());
    EXPECT_EQ(read_all(*files_, "a/file"), "of the first");
    second.reset();
    EXPECT_EQ(read_all(*files_, "a/file"), "of the first") << "the other one was given up";
}

TEST_P(FilesContract, OneOfTwoIsRefusedWhereNothingMayBeReplaced) {
    auto first = files_->write("a/file", NameSync::at_once, IfTaken::refuse).value();
    auto second = files_->write("a/file", NameSync::at_once, IfTaken::refuse).value();
    ASSERT_TRUE(first->write(bytes_of("first")));
    ASSERT_TRUE(second->write(bytes_of("second")));
    ASSERT_TRUE(second->finish());
    const auto refused = first->finish();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    first.reset();
    EXPECT_EQ(read_all(*files_, "a/file"), "second");
    EXPECT_EQ(names("a"), std::vector<std::string>{"a/file"});
}

TEST_P(FilesContract, WhatIsNotThereIsNotFound) {
    EXPECT_EQ(files_->read("none").error().code, Errc::not_found);
    EXPECT_EQ(files_->stat("none").value(), std::nullopt);
    EXPECT_TRUE(names("none").empty());
    EXPECT_TRUE(files_->remove("none"));
    EXPECT_TRUE(files_->remove_tree("none"));
}

TEST_P(FilesContract, FoldersListWhatLiesRightBelowInOrder) {
    for (const auto* path : {"b/z", "b/a", "b/deep/er", "c"}) {
        ASSERT_TRUE(write_all(*files_, path, "x"));
    }
    EXPECT_EQ(names(""), (std::vector<std::string>{"b", "c"}));
    EXPECT_EQ(names("b"), (std::vector<std::string>{"b/a", "b/deep", "b/z"}));
    ASSERT_TRUE(files_->remove("b/a"));
    EXPECT_EQ(names("b"), (std::vector<std::string>{"b/deep", "b/z"}));
    ASSERT_TRUE(files_->remove_tree("b"));
    EXPECT_EQ(names(""), std::vector<std::string>{"c"});
}

TEST_P(FilesContract, ALinkIsShownWithItsTargetAndReplaced) {
    ASSERT_TRUE(files_->make_folder("backup/20260101-000000F"));
    ASSERT_TRUE(files_->link("backup/latest", "none"));
    ASSERT_TRUE(files_->link("backup/latest", "20260101-000000F"));
    if (!has_links()) {
        EXPECT_EQ(files_->stat("backup/latest").value(), std::nullopt);
        return;
    }
    const auto entry = files_->stat("backup/latest").value();
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->kind, EntryKind::link);
    EXPECT_EQ(entry->target, "20260101-000000F");
}

TEST_P(FilesContract, NamesOfAWholeAreMadeDurableTogether) {
    const auto sink = files_->write("backup/deep/file", NameSync::by_sync_tree).value();
    ASSERT_TRUE(sink->finish());
    ASSERT_TRUE(files_->sync_tree("backup"));
    EXPECT_EQ(read_all(*files_, "backup/deep/file"), "");
}

TEST_P(FilesContract, AHardLinkKeepsWhatItsFirstNameLoses) {
    ASSERT_TRUE(write_all(*files_, "a/file", "content"));
    ASSERT_TRUE(files_->hard_link("b/deep/file", "a/file"));
    if (!has_links()) {
        EXPECT_EQ(files_->stat("b/deep/file").value(), std::nullopt);
        return;
    }
    EXPECT_EQ(files_->hard_link("b/deep/file", "a/file").error().code, Errc::conflict);
    EXPECT_EQ(files_->hard_link("b/other", "none").error().code, Errc::not_found);
    ASSERT_TRUE(files_->remove("a/file"));
    EXPECT_EQ(read_all(*files_, "b/deep/file"), "content");
}

TEST_P(FilesContract, NoPathLeavesTheRoot) {
    for (const auto* path : {"../x", "a/../../x", "/etc/passwd", "a//b", "a/", "./a"}) {
        EXPECT_EQ(files_->read(path).error().code, Errc::invalid) << path;
        EXPECT_EQ(files_->write(path).error().code, Errc::invalid) << path;
        EXPECT_EQ(files_->remove_tree(path).error().code, Errc::invalid) << path;
    }
}

INSTANTIATE_TEST_SUITE_P(Each, FilesContract, testing::Values("memory", "posix", "s3", "remote"),
                         [](const auto& each) { return each.param; });

TEST(PosixFiles, MakesFoldersAndFilesForTheirOwnerAndGroup) {
    char name[] = "/tmp/howdah-files-XXXXXX";
    const std::string folder = mkdtemp(name);
    PosixFiles files(folder + "/repo/");
    ASSERT_TRUE(write_all(files, "archive/file", "x"));
    using std::filesystem::perms;
    EXPECT_EQ(std::filesystem::status(folder + "/repo/archive").permissions(), perms(0750));
    EXPECT_EQ(std::filesystem::status(folder + "/repo/archive/file").permissions(), perms(0640));
    std::filesystem::remove_all(folder);
}

TEST(PosixFiles, AnyNameThatFitsCanBeWritten) {
    char name[] = "/tmp/howdah-files-XXXXXX";
    const std::string folder = mkdtemp(name);
    PosixFiles files(folder);
    EXPECT_TRUE(write_all(files, "backup/" + std::string(255, 'n'), "x"));
    std::filesystem::remove_all(folder);
}

TEST(PosixFiles, WhatAKilledProcessLeftIsRemovedAlone) {
    char name[] = "/tmp/howdah-files-XXXXXX";
    const std::string folder = mkdtemp(name);
    PosixFiles files(folder);
    ASSERT_TRUE(write_all(files, "backup/file", "x"));
    std::ofstream(folder + "/backup/other.pgbackrest.tmp") << "half";
    ASSERT_TRUE(files.remove_unfinished("backup"));
    EXPECT_FALSE(std::filesystem::exists(folder + "/backup/other.pgbackrest.tmp"));
    EXPECT_TRUE(files.stat("backup/file").value());
    std::filesystem::remove_all(folder);
}

TEST(PosixFiles, WhatAKilledProcessLeftGoesWithItsFolder) {
    char name[] = "/tmp/howdah-files-XXXXXX";
    const std::string folder = mkdtemp(name);
    PosixFiles files(folder);
    ASSERT_TRUE(write_all(files, "backup/file", "x"));
    std::ofstream(folder + "/backup/other.pgbackrest.tmp") << "half";
    EXPECT_FALSE(files.stat("backup/other").value());
    EXPECT_TRUE(files.remove_tree("backup"));
    EXPECT_FALSE(files.stat("backup").value());
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace howdah::files
