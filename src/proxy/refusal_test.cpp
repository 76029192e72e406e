#include "proxy/refusal.h"

#include <gtest/gtest.h>

namespace howdah::proxy {
namespace {

using namespace std::string_literals;

const auto ssl_request = "\0\0\0\x08\x04\xd2\x16\x2f"s;
const auto gss_request = "\0\0\0\x08\x04\xd2\x16\x30"s;
const auto cancel_request = "\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"s;
const auto startup = "\0\0\0\x11\0\3\0\0user\0bob\0\0"s.substr(0, 17);

TEST(Refusal, RendersAnErrorResponse) {
    EXPECT_EQ(fatal_response("57P03", "no primary", "later"),
              "E\0\0\0-SFATAL\0VFATAL\0C57P03\0Mno primary\0Hlater\0\0"s);
}

TEST(Refusal, AnswersTheStartupPacketWithTheError) {
    Refusal refusal("error");
    const auto step = refusal.feed(startup);
    EXPECT_TRUE(step.done);
    EXPECT_EQ(step.reply, "error");
}

TEST(Refusal, DeclinesEncryptionFirst) {
    Refusal refusal("error");
    auto step = refusal.feed(gss_request);
    EXPECT_FALSE(step.done);
    EXPECT_EQ(step.reply, "N");
    step = refusal.feed(ssl_request);
    EXPECT_EQ(step.reply, "N");
    step = refusal.feed(startup);
    EXPECT_TRUE(step.done);
    EXPECT_EQ(step.reply, "error");
}

TEST(Refusal, TakesBytesOneByOne) {
    Refusal refusal("error");
    std::string reply;
    bool done = false;
    for (const char c : ssl_request + startup) {
        EXPECT_FALSE(done);
        auto step = refusal.feed(std::string_view(&c, 1));
        reply += step.reply;
        done = step.done;
    }
    EXPECT_TRUE(done);
    EXPECT_EQ(reply, "Nerror");
}

TEST(Refusal, GivesACancelRequestNothing) {
    Refusal refusal("error");
    const auto step = refusal.feed(cancel_request);
    EXPECT_TRUE(step.done);
    EXPECT_EQ(step.reply, "");
    EXPECT_TRUE(is_cancel_request(cancel_request.substr(0, 8)));
    EXPECT_FALSE(is_cancel_request(startup));
    EXPECT_FALSE(is_cancel_request(""));
}

TEST(Refusal, EndsOnImpossibleLengthsAndEndlessRequests) {
    for (const auto& bad : {"\0\0\0\x07\0\3\0\0"s, "\x7f\0\0\0\0\3\0\0"s, "GET / HTTP/1.1\r\n"s}) {
        Refusal refusal("error");
        EXPECT_TRUE(refusal.feed(bad).done);
    }
    Refusal refusal("error");
    EXPECT_TRUE(refusal.feed(ssl_request + ssl_request + ssl_request).done);
}

}  // namespace
}  // namespace howdah::proxy
