#include "files/s3/answers.h"

#include <gtest/gtest.h>

namespace howdah::files {
namespace {

TEST(S3Answers, AListingHasFilesAndFolders) {
    const auto listing = parse_listing(
        R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>true</IsTruncated>
<Contents><Key>r/a &amp; b.gz</Key><LastModified>2026-11-27T10:00:01.000Z</LastModified><Size>12</Size></Contents>
<CommonPrefixes><Prefix>r/archive/</Prefix></CommonPrefixes>
<NextContinuationToken>1ueGcx==</NextContinuationToken></ListBucketResult>)");
    ASSERT_TRUE(listing);
    EXPECT_EQ(listing->next, "1ueGcx==");
    EXPECT_EQ(listing->entries,
              (std::vector<Entry>{{.path = "r/a & b.gz", .size = 12, .modified_unix_s = 1795773601},
                                  {.path = "r/archive", .kind = EntryKind::folder}}));
}

TEST(S3Answers, WhatIsNoListingIsRefused) {
    for (const auto* xml :
         {"", "<html>proxy</html>",
          "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}) {
        EXPECT_EQ(parse_listing(xml).error().code, Errc::corrupt) << xml;
    }
}

TEST(S3Answers, AnErrorHasItsCode) {
    EXPECT_EQ(parse_error("<Error><Code>SlowDown</Code><Message>x</Message></Error>").code,
              "SlowDown");
    EXPECT_EQ(parse_error("<CompleteMultipartUploadResult/>").code, "");
    EXPECT_EQ(parse_error("no XML").code, "");
    const auto error = parse_delete_error(
        "<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code><Message>m</Message></Error></"
        "DeleteResult>");
    EXPECT_EQ(error.code, "AccessDenied");
    EXPECT_EQ(error.message, "k: m");
    EXPECT_EQ(parse_delete_error("<DeleteResult/>").code, "");
}

TEST(S3Answers, AnUploadHasAnId) {
    EXPECT_EQ(parse_upload_id("<InitiateMultipartUploadResult><UploadId>u1</UploadId></"
                              "InitiateMultipartUploadResult>"),
              "u1");
    EXPECT_FALSE(parse_upload_id("<InitiateMultipartUploadResult/>"));
}

TEST(S3Answers, WhatIsAskedInXmlIsEscaped) {
    EXPECT_EQ(delete_xml({"a&b"}),
              "<Delete><Quiet>true</Quiet><Object><Key>a&amp;b</Key></Object></Delete>");
    EXPECT_EQ(complete_xml({"\"e1\""}),
              "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"e1\"</ETag></Part>"
              "</CompleteMultipartUpload>");
}

}  // namespace
}  // namespace howdah::files
