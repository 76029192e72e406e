#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "store/fake/memory_store.h"
#include "store/posix/posix_store.h"

namespace howdah::store {
namespace {

/// What every store promises (store.h), on each of them.
class StoreContract : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        if (GetParam() == "memory") {
            store_ = std::make_unique<MemoryStore>();
            return;
        }
        char name[] = "/tmp/howdah-store-XXXXXX";
        folder_ = mkdtemp(name);
        store_ = std::make_unique<PosixStore>(folder_ + "/repo");
    }
    void TearDown() override {
        store_.reset();
        if (!folder_.empty()) {
            std::filesystem::remove_all(folder_);
        }
    }
    std::vector<std::string> names(std::string_view folder) {
        std::vector<std::string> all;
        EXPECT_TRUE(store_->list(folder, [&](const Entry& entry) {
            all.push_back(entry.path);
            return Result<>{};
        }));
        return all;
    }

    std::string folder_{};
    std::unique_ptr<Store> store_{};
};

TEST_P(StoreContract, AFileIsReadAsItWasWritten) {
    const std::string content = "line\n" + std::string(200'000, 'x') + '\0' + "end";
    ASSERT_TRUE(write_all(*store_, "archive/demo/archive.info", content));
    EXPECT_EQ(read_all(*store_, "archive/demo/archive.info"), content);
    const auto entry = store_->stat("archive/demo/archive.info").value();
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->kind, EntryKind::file);
    EXPECT_EQ(entry->size, content.size());
}

TEST_P(StoreContract, APieceOfAFileIsRead) {
    ASSERT_TRUE(write_all(*store_, "bundle", "0123456789"));
    const auto piece = [&](ReadRange range) {
        const auto source = store_->read("bundle", range).value();
        std::string out(20, ' ');
        out.resize(source->read(std::as_writable_bytes(std::span(out))).value());
        return out;
    };
    EXPECT_EQ(piece({.offset = 3, .size = 4}), "3456");
    EXPECT_EQ(piece({.offset = 8, .size = 4}), "89");
    EXPECT_EQ(piece({.offset = 12}), "");
}

TEST_P(StoreContract, NobodySeesAFileBeforeItIsFinished) {
    ASSERT_TRUE(write_all(*store_, "a/file", "old"));
    {
        auto sink = store_->write("a/file").value();
        ASSERT_TRUE(sink->write(bytes_of("new")));
        EXPECT_EQ(read_all(*store_, "a/file"), "old");
        EXPECT_EQ(names("a"), std::vector<std::string>{"a/file"});
    }
    EXPECT_EQ(read_all(*store_, "a/file"), "old") << "it was given up";
    ASSERT_TRUE(write_all(*store_, "a/file", "new"));
    EXPECT_EQ(read_all(*store_, "a/file"), "new");
}

TEST_P(StoreContract, WhatIsNotThereIsNotFound) {
    EXPECT_EQ(store_->read("none").error().code, Errc::not_found);
    EXPECT_EQ(store_->stat("none").value(), std::nullopt);
    EXPECT_TRUE(names("none").empty());
    EXPECT_TRUE(store_->remove("none"));
    EXPECT_TRUE(store_->remove_tree("none"));
}

TEST_P(StoreContract, FoldersListWhatLiesRightBelowInOrder) {
    for (const auto* path : {"b/z", "b/a", "b/deep/er", "c"}) {
        ASSERT_TRUE(write_all(*store_, path, "x"));
    }
    EXPECT_EQ(names(""), (std::vector<std::string>{"b", "c"}));
    EXPECT_EQ(names("b"), (std::vector<std::string>{"b/a", "b/deep", "b/z"}));
    ASSERT_TRUE(store_->remove("b/a"));
    EXPECT_EQ(names("b"), (std::vector<std::string>{"b/deep", "b/z"}));
    ASSERT_TRUE(store_->remove_tree("b"));
    EXPECT_EQ(names(""), std::vector<std::string>{"c"});
}

TEST_P(StoreContract, ALinkIsShownWithItsTargetAndReplaced) {
    ASSERT_TRUE(store_->make_folder("backup/20260101-000000F"));
    ASSERT_TRUE(store_->link("backup/latest", "none"));
    ASSERT_TRUE(store_->link("backup/latest", "20260101-000000F"));
    const auto entry = store_->stat("backup/latest").value();
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->kind, EntryKind::link);
    EXPECT_EQ(entry->target, "20260101-000000F");
}

TEST_P(StoreContract, NoPathLeavesTheRoot) {
    for (const auto* path : {"../x", "a/../../x", "/etc/passwd", "a//b", "a/", "./a"}) {
        EXPECT_EQ(store_->read(path).error().code, Errc::invalid) << path;
        EXPECT_EQ(store_->write(path).error().code, Errc::invalid) << path;
        EXPECT_EQ(store_->remove_tree(path).error().code, Errc::invalid) << path;
    }
}

INSTANTIATE_TEST_SUITE_P(Each, StoreContract, testing::Values("memory", "posix"),
                         [](const auto& each) { return each.param; });

TEST(PosixStore, MakesFoldersAndFilesForTheirOwnerAndGroup) {
    char name[] = "/tmp/howdah-store-XXXXXX";
    const std::string folder = mkdtemp(name);
    PosixStore store(folder + "/repo/");
    ASSERT_TRUE(write_all(store, "archive/file", "x"));
    using std::filesystem::perms;
    EXPECT_EQ(std::filesystem::status(folder + "/repo/archive").permissions(), perms(0750));
    EXPECT_EQ(std::filesystem::status(folder + "/repo/archive/file").permissions(), perms(0640));
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace howdah::store
