#include "files/s3/signature.h"

#include <gtest/gtest.h>

namespace howdah::files {
namespace {

// Requests and signatures: Amazon S3 API Reference, "Signature Calculations for the Authorization
// Header: Transferring Payload in a Single Chunk", its examples.

const S3Credentials example{.key = "AKIAIOSFODNN7EXAMPLE",
                            .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
constexpr std::int64_t example_time = 1369353600;  // 20130524T000000Z

std::string signature_of(S3Call call) {
    call.headers["host"] = "examplebucket.s3.amazonaws.com";
    const auto headers = signed_headers(call, example, "us-east-1", example_time);
    const auto& text = headers.at("authorization");
    return text.substr(text.rfind('=') + 1);
}

TEST(S3Signature, OfAPieceOfAnObject) {
    EXPECT_EQ(signature_of({.path = "/test.txt", .headers = {{"range", "bytes=0-9"}}}),
              "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(S3Signature, OfAnObjectThatIsWritten) {
    EXPECT_EQ(signature_of({.method = "PUT",
                            .path = "/test$file.text",
                            .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                        {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                            .body = "Welcome to Amazon S3."}),
              "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(S3Signature, OfAParameterWithoutAValue) {
    EXPECT_EQ(signature_of({.path = "/", .query = {{"lifecycle", ""}}}),
              "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(S3Signature, OfAListing) {
    EXPECT_EQ(signature_of({.path = "/", .query = {{"max-keys", "2"}, {"prefix", "J"}}}),
              "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(S3Signature, TemporaryCredentialsSignTheirTokenToo) {
    const auto headers = signed_headers({.headers = {{"host", "h"}}},
                                        {.key = "k", .secret = "s", .token = "t"}, "r", 0);
    EXPECT_EQ(headers.at("x-amz-security-token"), "t");
    EXPECT_NE(headers.at("authorization").find(";x-amz-security-token"), std::string::npos);
}

TEST(S3Signature, ATargetIsEncodedOnce) {
    EXPECT_EQ(
        target_of({.path = "/b/a b+c=\xc3\xa4.gz", .query = {{"prefix", "x/y z"}, {"a", ""}}}),
        "/b/a%20b%2Bc%3D%C3%A4.gz?a=&prefix=x%2Fy%20z");
}

TEST(S3Signature, AnMd5IsInBase64) {
    EXPECT_EQ(content_md5(""), "1B2M2Y8AsgTpgAmY7PhCfg==");
}

}  // namespace
}  // namespace howdah::files
