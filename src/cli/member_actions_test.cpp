#include "cli/member_actions.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace howdah::cli {
namespace {

/// What patronictl 4.1.4 printed, without the table that stands first.
std::string recorded(const std::string& call) {
    std::ifstream in(HOWDAH_SOURCE_DIR "/tests/fixtures/patroni/4.1.4/patronictl-actions.txt");
    std::stringstream all;
    all << in.rdbuf();
    const auto text = all.str();
    const auto from = text.find("### patronictl " + call + "\n");
    EXPECT_NE(from, std::string::npos) << call;
    const auto begin = text.find("--- stdout\n", from) + 11;
    std::istringstream lines(text.substr(begin, text.find("--- stderr", begin) - begin));
    std::string out;
    for (std::string line; std::getline(lines, line);) {
        const bool table = line.starts_with("| ") || line.starts_with("+");
        out += table ? "" : line + (lines.eof() ? "" : "\n");
    }
    return out;
}

struct Desk {
    ha::Cluster cluster{};
    std::istringstream in{};
    std::ostringstream out{};
    std::vector<std::string> asked{};
    std::vector<io::HttpResponse> answers{};  ///< one after the other; the last one stays
    int cleared = 0;

    Desk() {
        cluster.record.leader = "n1";
        cluster.config_json = R"({"loop_wait":2})";
        for (const auto* name : {"n1", "n2", "n3"}) {
            cluster.members.push_back({.name = name, .role = "replica"});
        }
        answers = {{.status = 200}};
    }
    Counter counter() {
        return {
            .in = in,
            .out = out,
            .ask = [this](const ha::Member& m, const std::string& method, const std::string& path,
                          const std::string& body) -> Result<io::HttpResponse> {
                asked.push_back(m.name + " " + method + " " + path + " " + body);
                auto answer = answers.front();
                if (answers.size() > 1) {
                    answers.erase(answers.begin());
                }
                return answer;
            },
            .clear_failover = [this]() -> Result<> {
                ++cleared;
                return {};
            },
            .pause = [](Seconds) {}};
    }
    std::string printed() const {
        std::istringstream lines(out.str());
        std::string rest;
        for (std::string line; std::getline(lines, line);) {
            const bool table = line.starts_with("| ") || line.starts_with("+");
            rest += table ? "" : line + (lines.eof() ? "" : "\n");
        }
        return rest;
    }
};

RestartCommand forced(std::vector<std::string> members) {
    return {.of = {.cluster = "demo", .members = std::move(members), .force = true}};
}

TEST(Restart, SaysWhatPatronictlSays) {
    Desk ok;
    EXPECT_TRUE(*restart_members(forced({"n2"}), ok.cluster, ok.counter()));
    EXPECT_EQ(ok.printed(), recorded("restart demo n2 --force"));
    EXPECT_EQ(ok.asked, std::vector<std::string>{"n2 POST /restart "});

    Desk refused;
    refused.answers = {{.status = 503, .body = "restart conditions are not satisfied"}};
    auto command = forced({"n2"});
    command.below_version = "9.6.0";
    EXPECT_FALSE(*restart_members(command, refused.cluster, refused.counter()));
    EXPECT_EQ(refused.printed(), recorded("restart demo n2 --force --pg-version 9.6.0"));

    Desk scheduled;
    scheduled.answers = {{.status = 202}};
    command = forced({"n2"});
    command.scheduled = "2030-01-01T00:00+00:00";
    EXPECT_TRUE(*restart_members(command, scheduled.cluster, scheduled.counter()));
    EXPECT_EQ(scheduled.printed(),
              recorded("restart demo n2 --force --scheduled 2030-01-01T00:00+00:00"));
    EXPECT_EQ(scheduled.asked.front(),
              R"(n2 POST /restart {"schedule":"2030-01-01T00:00:00+00:00"})");
}

TEST(Restart, AsksAndIsAbortedAsPatronictlIs) {
    Desk desk;
    desk.in.str("now\nn\n");
    const auto done = restart_members({.of = {.cluster = "demo", .members = {"n2"}}}, desk.cluster,
                                      desk.counter());
    EXPECT_EQ(done.error().message, "Aborted restart");
    auto want = recorded("restart demo n2   (answered no)   stdin: 'now\\nn\\n'");
    const auto time = want.find("(e.g. ") + 6;
    auto got = desk.printed();
    ASSERT_GT(got.size(), time + 16);
    EXPECT_EQ(got.replace(time, 16, ""), want.replace(time, 16, ""));
    EXPECT_TRUE(desk.asked.empty());
}

TEST(Restart, PendingAsksOnlyThoseThatWait) {
    Desk desk;
    auto command = forced({});
    command.pending = true;
    EXPECT_TRUE(*restart_members(command, desk.cluster, desk.counter()));
    EXPECT_TRUE(desk.asked.empty());
    desk.cluster.members[2].pending_restart = true;
    EXPECT_TRUE(*restart_members(command, desk.cluster, desk.counter()));
    EXPECT_EQ(desk.asked, std::vector<std::string>{R"(n3 POST /restart {"restart_pending":true})"});
}

TEST(Restart, UnknownMembersAndTimesAreRefused) {
    Desk desk;
    EXPECT_EQ(restart_members(forced({"n9"}), desk.cluster, desk.counter()).error().message,
              "No 'any' among provided members");
    auto command = forced({"n2"});
    command.scheduled = "soon";
    EXPECT_TRUE(restart_members(command, desk.cluster, desk.counter())
                    .error()
                    .message.starts_with("Unable to parse scheduled timestamp (soon)."));
}

TEST(Reload, SaysWhatPatronictlSays) {
    Desk desk;
    desk.answers = {{.status = 202}};
    EXPECT_TRUE(
        *reload_members({.of = {.cluster = "demo", .force = true}}, desk.cluster, desk.counter()));
    EXPECT_EQ(desk.printed(), recorded("reload demo --force"));
    Desk replicas;
    replicas.answers = {{.status = 202}};
    EXPECT_TRUE(*reload_members({.of = {.cluster = "demo", .role = "replica", .force = true}},
                                replicas.cluster, replicas.counter()));
    EXPECT_EQ(replicas.printed(), recorded("reload demo -r replica --force"));
}

TEST(Reinit, SaysWhatPatronictlSays) {
    Desk desk;
    desk.answers = {{.status = 200},
                    {.status = 200, .body = R"({"state": "creating replica"})"},
                    {.status = 200, .body = R"({"state": "running"})"}};
    ReinitCommand command{.wait = true};
    command.of.cluster = "demo";
    command.of.members = {"n3"};
    command.of.force = true;
    EXPECT_TRUE(*reinit_members(command, desk.cluster, desk.counter()));
    EXPECT_EQ(desk.printed(), recorded("reinit demo n3 --force --wait"));
    EXPECT_EQ(desk.asked.size(), 3);
    command.of.members = {"n1"};
    EXPECT_EQ(reinit_members(command, desk.cluster, desk.counter()).error().message,
              "No replica among provided members");
}

TEST(Reinit, OffersToCancelWhatIsGoingOn) {
    Desk desk;
    desk.answers = {{.status = 503, .body = "reinitialize already in progress"}, {.status = 200}};
    desk.in.str("n3\ny\ny\n");
    EXPECT_TRUE(*reinit_members({.of = {.cluster = "demo", .role = "replica"}}, desk.cluster,
                                desk.counter()));
    EXPECT_TRUE(
        desk.printed().starts_with("Which member do you want to reinitialize [n2, n3]? []: "
                                   "Are you sure you want to reinitialize members n3? [y/N]: "));
    ASSERT_EQ(desk.asked.size(), 2);
    EXPECT_NE(desk.asked[1].find(R"("force":true)"), std::string::npos);
}

TEST(Flush, SaysWhatPatronictlSays) {
    Desk desk;
    desk.cluster.members[1].scheduled_restart_json = R"({"schedule":"2030-01-01T00:00:00+00:00"})";
    FlushCommand command{.of = {.cluster = "demo", .force = true}, .target = "restart"};
    EXPECT_TRUE(*flush_members(command, desk.cluster, desk.counter()));
    EXPECT_EQ(desk.printed(), recorded("flush demo restart --force"));
    EXPECT_EQ(desk.asked, std::vector<std::string>{"n2 DELETE /restart "});
}

TEST(Flush, SwitchoverIsDroppedByAnAgentOrElseInTheStore) {
    Desk desk;
    FlushCommand command{.of = {.cluster = "demo", .force = true}, .target = "switchover"};
    EXPECT_TRUE(*flush_members(command, desk.cluster, desk.counter()));
    EXPECT_EQ(desk.printed(), recorded("flush demo switchover --force"));
    desk.cluster.failover.scheduled_at = "2030-01-01T00:00:00+00:00";
    desk.answers = {{.status = 200, .body = "scheduled switchover deleted"}};
    EXPECT_TRUE(*flush_members(command, desk.cluster, desk.counter()));
    EXPECT_TRUE(desk.printed().ends_with("Success: scheduled switchover deleted\n"));
    desk.answers = {{.status = 501}};
    EXPECT_TRUE(*flush_members(command, desk.cluster, desk.counter()));
    EXPECT_EQ(desk.cleared, 1);
}

}  // namespace
}  // namespace howdah::cli
