#include "api/restart.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace howdah::api {
namespace {

constexpr std::int64_t recorded_at = 1795427071;  // 2026-11-23

struct Recorded {
    std::string body{};
    int code = 0;
    std::string text{};
};

/// What 4.1.4 answered to POST /restart, by the heading of the recording.
Recorded recorded(const std::string& heading) {
    std::ifstream in(HOWDAH_SOURCE_DIR "/tests/fixtures/patroni/4.1.4/actions.txt");
    std::stringstream all;
    all << in.rdbuf();
    auto part = all.str();
    const auto from = part.find("### " + heading + "\n");
    EXPECT_NE(from, std::string::npos) << heading;
    part = part.substr(from, part.find("\n### ", from) - from);
    std::erase(part, '\r');
    const auto request = part.substr(0, part.find("\n<<<\n"));
    const auto answer = part.substr(part.find("\n<<<\n") + 5);
    const auto body_at = answer.find("\n\n");
    return {.body = request.substr(request.rfind("\n>>> ") + 5),
            .code = std::stoi(answer.substr(9, 3)),
            .text = answer.substr(body_at + 2, answer.find('\n', body_at + 2) - body_at - 2)};
}

TEST(Restart, IsRefusedAsPatroniDid) {
    for (const std::string heading :
         {"restart on a replica, role master", "restart, bad role", "restart, bad version",
          "restart, bad timeout", "restart, unknown key", "restart, past time",
          "restart, time without zone", "paused: scheduled restart"}) {
        agent::Status status;
        status.pause = heading.starts_with("paused");
        const auto want = recorded(heading);
        const auto got = restart_in({.method = "POST", .body = want.body}, status, recorded_at);
        ASSERT_FALSE(got) << heading;
        EXPECT_EQ(got.error().status, want.code) << heading;
        EXPECT_EQ(got.error().body, want.text) << heading;
    }
    EXPECT_EQ(restart_in({.body = "not json"}, {}, recorded_at).error().status, 400);
    EXPECT_EQ(restart_in({.body = "[1]"}, {}, recorded_at).error().status, 400);
}

TEST(Restart, WithoutBodyHasNoConditions) {
    const auto got = restart_in({.method = "POST"}, {}, recorded_at);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->at, 0);
    EXPECT_TRUE(got->role.empty());
    EXPECT_FALSE(got->if_pending);
}

TEST(Restart, ConditionsAndScheduleAreUnderstood) {
    const auto body = recorded("restart scheduled with role and restart_pending").body;
    const auto got = restart_in({.body = body}, {}, recorded_at);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->at, 1893546245);  // 03:04:05+02:00
    EXPECT_EQ(got->role, "replica");
    EXPECT_TRUE(got->if_pending);
    EXPECT_EQ(
        got->json,
        R"({"schedule":"2030-01-02T03:04:05+02:00","role":"replica","restart_pending":true})");
    const auto later = restart_in({.body = R"({"postgres_version": "15.99", "timeout": "1min"})"},
                                  {}, recorded_at);
    ASSERT_TRUE(later);
    EXPECT_EQ(later->below_version, 150099);
    EXPECT_EQ(later->timeout, Seconds(60));
}

TEST(Restart, RestartPendingCountsWhateverItsValue) {
    EXPECT_TRUE(restart_in({.body = R"({"restart_pending": false})"}, {}, 0)->if_pending);
}

TEST(VersionNumber, IsReadAsPostgresqlCountsThem) {
    EXPECT_EQ(version_number("9.6.0"), 90600);
    EXPECT_EQ(version_number("15.2"), 150002);
    EXPECT_EQ(version_number("16"), 160000);
    for (const auto* bad : {"", "x", "15.", "15..1", "1.2.3.4", "-1", "15.100"}) {
        EXPECT_EQ(version_number(bad), std::nullopt) << bad;
    }
}

}  // namespace
}  // namespace howdah::api
