#include "files/s3/s3_files.h"

#include <gtest/gtest.h>

#include "files/s3/bucket_for_test.h"
#include "files/s3/object_source.h"

// What an object store adds to the contract of files_contract_test.cpp.

namespace howdah::files {
namespace {

class S3FilesTest : public testing::Test {
protected:
    BucketForTest bucket_{};
    S3Files files_{bucket_.options()};
    const std::string large_ = std::string(64 << 10, 'a') + std::string(64 << 10, 'b') + "end";
};

TEST_F(S3FilesTest, ALargeFileGoesUpInParts) {
    ASSERT_TRUE(write_all(files_, "a/large", large_));
    EXPECT_EQ(bucket_.objects()["repo/a/large"], large_);
    EXPECT_EQ(bucket_.open_uploads(), 0U);
    EXPECT_EQ(read_all(files_, "a/large"), large_);
}

TEST_F(S3FilesTest, AnUploadThatIsNotFinishedIsGivenUp) {
    {
        const auto sink = files_.write("a/large", NameSync::at_once, IfTaken::replace).value();
        ASSERT_TRUE(sink->write(bytes_of(large_)));
        EXPECT_EQ(bucket_.open_uploads(), 1U);
    }
    EXPECT_EQ(bucket_.open_uploads(), 0U);
    EXPECT_TRUE(bucket_.objects().empty());
}

TEST_F(S3FilesTest, WhatPassesIsTriedAgain) {
    bucket_.answer_next({503, 500, 429});
    ASSERT_TRUE(write_all(files_, "file", "x"));
    EXPECT_EQ(bucket_.requests().size(), 4U);
    bucket_.answer_next({0, 503, 0, 0, 500, 503});
    ASSERT_TRUE(write_all(files_, "large", large_));
    EXPECT_EQ(bucket_.objects()["repo/large"], large_);
}

TEST_F(S3FilesTest, WhatDoesNotPassIsToldWithItsCode) {
    bucket_.answer_next({503, 503, 503, 503});
    const auto tried = write_all(files_, "file", "x");
    EXPECT_EQ(tried.error().code, Errc::unavailable);
    EXPECT_NE(tried.error().message.find("PUT s3://backups/repo/file"), std::string::npos)
        << tried.error().message;
    bucket_.answer_next({403});
    const auto refused = files_.stat("file");
    EXPECT_EQ(refused.error().code, Errc::io);
    EXPECT_NE(refused.error().message.find("403 "), std::string::npos) << refused.error().message;
    EXPECT_NE(refused.error().hint.find("repo-s3-key"), std::string::npos);
}

TEST_F(S3FilesTest, ANameThatIsTakenMeanwhileIsRefusedByTheServer) {
    for (const auto& content : {std::string("x"), large_}) {
        const auto sink = files_.write("file", NameSync::at_once, IfTaken::refuse).value();
        ASSERT_TRUE(sink->write(bytes_of(content)));
        bucket_.answer_next(content == "x" ? std::deque<int>{404} : std::deque<int>{0, 404});
        bucket_.put("repo/file", "theirs");
        EXPECT_EQ(sink->finish().error().code, Errc::conflict);
        EXPECT_EQ(bucket_.objects()["repo/file"], "theirs");
    }
}

TEST_F(S3FilesTest, AServerWithoutConditionalWritesIsAskedWithoutCondition) {
    const auto sink = files_.write("file", NameSync::at_once, IfTaken::refuse).value();
    ASSERT_TRUE(sink->write(bytes_of("x")));
    bucket_.answer_next({0, 501});
    EXPECT_TRUE(sink->finish());
    EXPECT_EQ(bucket_.objects()["repo/file"], "x");
}

/// "Could not look" is not "is not there".
TEST_F(S3FilesTest, AListingThatFailsIsNoEmptyFolder) {
    ASSERT_TRUE(write_all(files_, "a/file", "x"));
    bucket_.answer_next({403});
    EXPECT_FALSE(files_.list("a", [](const Entry&) { return Result<>{}; }));
    bucket_.answer_next({404, 403});  // the object is not there, whether a folder is unknown
    EXPECT_FALSE(files_.stat("a"));
    bucket_.answer_next({404});  // NoSuchBucket
    EXPECT_FALSE(files_.list("a", [](const Entry&) { return Result<>{}; }));
}

TEST_F(S3FilesTest, AFileReplacedWhileItIsReadIsNotMixed) {
    ASSERT_TRUE(write_all(files_, "file", large_));
    const auto source = files_.read("file", {}).value();
    ByteBuffer part(64 << 10);
    ASSERT_EQ(source->read(part), part.size());
    bucket_.put("repo/file", std::string(200'000, 'z'));
    EXPECT_EQ(source->read(part).error().code, Errc::conflict);
}

TEST_F(S3FilesTest, FoldersSortByTheirNames) {
    for (const auto* path : {"deep-x", "deep/file", "deeper"}) {
        ASSERT_TRUE(write_all(files_, path, "x"));
    }
    std::vector<std::string> names;
    ASSERT_TRUE(files_.list("", [&](const Entry& entry) {
        names.push_back(entry.path);
        return Result<>{};
    }));
    EXPECT_EQ(names, (std::vector<std::string>{"deep", "deep-x", "deeper"}));
}

TEST_F(S3FilesTest, NothingOutsideOfTheRootIsTouched) {
    bucket_.put("repository2/file", "theirs");
    ASSERT_TRUE(write_all(files_, "file", "ours"));
    ASSERT_TRUE(files_.remove_tree(""));
    EXPECT_EQ(bucket_.objects(),
              (std::map<std::string, std::string>{{"repository2/file", "theirs"}}));
}

TEST_F(S3FilesTest, OneThreadsWaitDoesNotHoldUpAnother) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([this, i] {
            const auto name = "many/" + std::to_string(i);
            EXPECT_TRUE(write_all(files_, name, large_));
            EXPECT_EQ(read_all(files_, name), large_);
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

TEST(S3Options, KeysOfTheServersEncryptionAreSent) {
    const auto headers =
        customer_key_headers({.customer_key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="});
    EXPECT_EQ(headers.at("x-amz-server-side-encryption-customer-algorithm"), "AES256");
    EXPECT_EQ(headers.at("x-amz-server-side-encryption-customer-key-md5"),
              content_md5("0123456789abcdef0123456789abcdef"));
    EXPECT_TRUE(customer_key_headers({}).empty());
}

}  // namespace
}  // namespace howdah::files
