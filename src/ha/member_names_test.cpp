#include "ha/member_names.h"

#include <gtest/gtest.h>

namespace howdah::ha {
namespace {

Cluster showing(std::initializer_list<std::pair<Uuid, std::string>> members) {
    Cluster cluster;
    for (const auto& [uuid, name] : members) {
        cluster.members.push_back({.name = name, .uuid = uuid});
    }
    return cluster;
}

TEST(MemberNames, OneThatMayLeadKeepsItsNameWhenItsKeyIsGone) {
    const auto names = learned({}, showing({{"u1", "pgvm1"}, {"u2", "pgvm2"}}), {});
    EXPECT_EQ(shown(learned(names, showing({{"u2", "pgvm2"}}), {"u1", "u2"}), "u1"), "pgvm1");
    EXPECT_EQ(shown(learned(names, showing({{"u2", "pgvm2"}}), {"u2"}), "u1"), "u1") << "dropped";
}

TEST(MemberNames, ANewNameReplacesTheOldOne) {
    EXPECT_EQ(learned({{"u1", "old"}}, showing({{"u1", "new"}}), {"u1"}),
              (MemberNames{{"u1", "new"}}));
}

TEST(MemberNames, TheHolderIsKnownByItsRecordAndPatroniMembersHaveNoUuid) {
    Cluster cluster = showing({{"", "old-patroni"}});
    cluster.record.record = Record{.holder = "u3", .holder_name = "pgvm3"};
    EXPECT_EQ(learned({}, cluster, {}), (MemberNames{{"u3", "pgvm3"}}));
}

}  // namespace
}  // namespace howdah::ha
