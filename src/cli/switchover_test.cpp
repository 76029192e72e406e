#include "cli/switchover.h"

#include <gtest/gtest.h>

#include <sstream>

namespace howdah::cli {
namespace {

ha::Cluster three_members() {
    ha::Cluster cluster;
    cluster.record.leader = "n1";
    cluster.members = {{.name = "n1"}, {.name = "n2"}, {.name = "n3"}};
    return cluster;
}

std::string refusal(const SwitchoverCommand& command, const ha::Cluster& cluster) {
    std::istringstream in;
    std::ostringstream out;
    const auto plan = plan_switchover(command, cluster, "demo", in, out);
    return plan ? "" : plan.error().message;
}

TEST(SwitchoverDialogue, AsksAsPatronictlDoes) {
    std::istringstream in("\n\nnow\ny\n");
    std::ostringstream out;
    const auto plan = plan_switchover({}, three_members(), "demo", in, out);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->leader, "n1");
    EXPECT_EQ(plan->candidate, "");
    EXPECT_EQ(plan->scheduled, "");
    EXPECT_TRUE(out.str().starts_with(
        "Primary [n1]: Candidate ['n2', 'n3'] []: When should the switchover take place "
        "(e.g. 20"));
    EXPECT_TRUE(out.str().ends_with(
        "Are you sure you want to switchover cluster demo, demoting current leader n1? [y/N]: "));
}

TEST(SwitchoverDialogue, IsAbortedByDefault) {
    std::istringstream in("\n\nnow\n\n");
    std::ostringstream out;
    EXPECT_EQ(plan_switchover({}, three_members(), "demo", in, out).error().message,
              "Aborting switchover");
}

TEST(SwitchoverDialogue, ForcedAsksNothing) {
    std::istringstream in;
    std::ostringstream out;
    const auto plan =
        plan_switchover({.candidate = "n3", .force = true}, three_members(), "demo", in, out);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->candidate, "n3");
    EXPECT_EQ(out.str(), "");
}

TEST(SwitchoverDialogue, RefusesInPatronictlsWords) {
    EXPECT_EQ(refusal({.force = true}, {}), "This cluster has no leader");
    EXPECT_EQ(refusal({.leader = "n2", .force = true}, three_members()),
              "Member n2 is not the leader of cluster demo");
    EXPECT_EQ(refusal({.candidate = "n1", .force = true}, three_members()),
              "Member n1 is already the leader of cluster demo");
    EXPECT_EQ(refusal({.candidate = "n9", .force = true}, three_members()),
              "Member n9 does not exist in cluster demo or is tagged as nofailover");
    auto alone = three_members();
    alone.members.resize(1);
    EXPECT_EQ(refusal({.force = true}, alone), "No candidates found to switchover to");
}

TEST(SwitchoverDialogue, OffersNoMemberTaggedNofailover) {
    auto cluster = three_members();
    cluster.members[1].tags_json = R"({"nofailover":true})";
    EXPECT_EQ(candidates_of(cluster), std::vector<std::string>{"n3"});
}

}  // namespace
}  // namespace howdah::cli
