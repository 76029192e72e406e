#include "ha/local.h"

#include <gtest/gtest.h>

#include "ha/standing.h"

namespace howdah::ha {
namespace {

TEST(FlushedBy, CountsEachNamedStandbyOnce) {
    const std::vector<Walsender> walsenders{
        {.application_name = "b", .flush = pg::Lsn(100)},
        {.application_name = "b", .flush = pg::Lsn(120)},
        {.application_name = "c", .write = pg::Lsn(100), .flush = pg::Lsn(99)},
        {.application_name = "d", .flush = pg::Lsn(500)},
    };
    EXPECT_EQ(flushed_by(walsenders, pg::Lsn(100), {"b", "c"}), 1);
    EXPECT_EQ(flushed_by(walsenders, pg::Lsn(99), {"b", "c"}), 2);
    EXPECT_EQ(flushed_by(walsenders, pg::Lsn(99), {"e"}), 0);
    EXPECT_EQ(flushed_by({{.application_name = "b"}}, pg::Lsn{}, {"b"}), 0);
}

TEST(MembersCaughtUp, CountsOnceWhomItsAgentConfirmed) {
    const auto sender = [](const char* name, const char* member, std::uint64_t flush) {
        return Walsender{.application_name = name,
                         .state = "streaming",
                         .flush = pg::Lsn(flush),
                         .member = member};
    };
    EXPECT_EQ(members_caught_up({sender("b", "", 100)}, pg::Lsn(100), {"b"}), 0) << "an impostor";
    EXPECT_EQ(
        members_caught_up({sender("b", "ub", 100), sender("b", "ub", 100)}, pg::Lsn(100), {"b"}),
        1);
    EXPECT_EQ(members_caught_up({sender("b", "ub", 100), sender("c", "uc", 100)}, pg::Lsn(100),
                                {"b", "c"}),
              2);
    EXPECT_EQ(members_caught_up({sender("b", "ub", 99)}, pg::Lsn(100), {"b"}), 0);
}

TEST(Confirmation, IsAboutThatVeryConnection) {
    const Standing standing{.uuid = "ub", .name = "b", .streams_from = "a", .receiver_port = 4711};
    const Walsender own{.application_name = "b", .client_port = 4711};
    EXPECT_TRUE(confirms(standing, "a", own));
    EXPECT_FALSE(confirms(standing, "c", own)) << "it streams from another";
    EXPECT_FALSE(confirms(standing, "a", {.application_name = "b", .client_port = 4712}));
    EXPECT_FALSE(confirms(standing, "a", {.application_name = "c", .client_port = 4711}));
    EXPECT_TRUE(confirms(standing, "a", {.application_name = "b", .client_port = 9, .slot = "b"}))
        << "an address translation changed the port";
    EXPECT_FALSE(confirms({.name = "b"}, "", {.application_name = "b"}));
    EXPECT_EQ(parse_standing(render(standing))->receiver_port, 4711U);
    EXPECT_EQ(parse_standing(render(standing))->streams_from, "a");
}

}  // namespace
}  // namespace howdah::ha
