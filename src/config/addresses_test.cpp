#include "config/addresses.h"

#include <gtest/gtest.h>

namespace howdah::config {
namespace {

std::string one(const std::string& text, std::uint16_t port = 5432) {
    const auto parsed = parse_host_port(text, port);
    return parsed ? parsed->text() : parsed.error().message;
}
std::string listen(const std::string& text) {
    const auto parsed = parse_listen(text, 5432);
    return parsed ? parsed->joined() + " " + std::to_string(parsed->port) : parsed.error().message;
}

TEST(Addresses, OfEverySpelling) {
    EXPECT_EQ(one("10.0.0.1:8008"), "10.0.0.1:8008");
    EXPECT_EQ(one("db1"), "db1:5432");
    EXPECT_EQ(one("[::1]:8008"), "[::1]:8008");
    EXPECT_EQ(one("[::1]"), "[::1]:5432");
    EXPECT_EQ(one("::1"), "[::1]:5432");
    EXPECT_EQ(one("::"), "[::]:5432");
    EXPECT_EQ(one("fe80::1"), "[fe80::1]:5432");
    EXPECT_EQ(one("fd00:77::1:5432"), "[fd00:77::1]:5432");
    EXPECT_EQ(one(":8008"), ":8008");
    EXPECT_EQ(one("*:8008"), "*:8008");
    EXPECT_EQ(one(" 10.0.0.1:8008 "), "10.0.0.1:8008");
}

TEST(Addresses, WhatIsNoneIsRefused) {
    EXPECT_EQ(one("10.0.0.1:80o8"),
              "\"10.0.0.1:80o8\" has no port between 1 and 65535 after its "
              "colon");
    EXPECT_EQ(one("10.0.0.1:0"), "\"10.0.0.1:0\" has no port between 1 and 65535 after its colon");
    EXPECT_EQ(one("http://10.0.0.1:1"),
              "\"http://10.0.0.1:1\" is a URL, where a host and a port "
              "belong");
    EXPECT_EQ(one("10.0.0.1", 0), "\"10.0.0.1\" has no port");
    EXPECT_EQ(one("a,b:5432"), "\"a,b:5432\" names several hosts where one belongs");
    EXPECT_EQ(one("a:b:5432"),
              "\"a:b:5432\" holds \"a:b\", which is neither a name nor an address");
    EXPECT_EQ(one("[::1"), "\"[::1\" holds \"[:\", which is neither a name nor an address");
}

TEST(Addresses, SeveralShareAPort) {
    EXPECT_EQ(listen("127.0.60.1, ::1, [fd00:77::1]:5433"), "127.0.60.1,::1,fd00:77::1 5433");
    EXPECT_EQ(listen("127.0.60.1,::1"), "127.0.60.1,::1 5432");
    EXPECT_EQ(listen("[::]:5432"), ":: 5432");
    EXPECT_EQ(listen(":5433"), "* 5433");
    EXPECT_EQ(listen("*"), "* 5432");
}

TEST(Addresses, ThatMeanEverywhere) {
    for (const auto* any : {"", "*", "0.0.0.0", "::", "0:0:0:0:0:0:0:0"}) {
        EXPECT_TRUE(is_any(any)) << any;
    }
    EXPECT_FALSE(is_any("::1"));
    EXPECT_FALSE(is_any("db"));
    EXPECT_TRUE(is_loopback("127.0.52.81") && is_loopback("::1") && is_loopback("localhost"));
    EXPECT_FALSE(is_loopback("10.0.0.1") || is_loopback("127.example.org"));
    EXPECT_EQ(local_address("10.0.0.1, 127.0.0.1"), "localhost");
    EXPECT_EQ(local_address("10.0.0.1,::1"), "10.0.0.1");
    EXPECT_EQ(local_address("::"), "::1");
    EXPECT_EQ(local_address("*"), "localhost");
}

}  // namespace
}  // namespace howdah::config
