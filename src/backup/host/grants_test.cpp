#include "backup/host/grants.h"

#include <gtest/gtest.h>

namespace howdah::backup {
namespace {

const io::PeerNames pgvm1{.common_name = "pgvm1", .hosts = {"pgvm1", "10.0.0.1"}};
const io::PeerNames pgvm7{.common_name = "pgvm7", .hosts = {"pgvm7", "10.0.0.7"}};

Grants grants_of(const std::string& text) {
    return Grants::of({{.file = "pgbackrest.conf", .text = text}}).value();
}

TEST(Grants, AStanzaIsWrittenByItsHostsAndReadByAll) {
    const auto grants =
        grants_of("[main]\npg1-host=10.0.0.1\npg2-host=pgvm2\n[main2]\npg1-host=pgvm7\n");
    EXPECT_EQ(grants.right(pgvm1, "main"), Right::write) << "by its address";
    EXPECT_EQ(grants.right(pgvm7, "main"), Right::read);
    EXPECT_EQ(grants.right(pgvm7, "main2"), Right::write) << "by its name";
    EXPECT_EQ(grants.right(pgvm1, "main2"), Right::read);
    EXPECT_TRUE(grants.any(pgvm7));
    EXPECT_TRUE(grants.check(pgvm7, "main", Right::read));
    const auto refused = grants.check(pgvm7, "main", Right::write);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.contains("pgvm7"));
    EXPECT_TRUE(refused.error().hint.contains("tls-server-auth=pgvm7=main"));
}

TEST(Grants, AListAllowsWhatItNamesAndNothingElse) {
    const auto grants = grants_of(
        "[global]\ntls-server-auth=pgvm1=main, other\ntls-server-auth=backup=*\n[main2]\n"
        "pg1-host=pgvm7\n");
    EXPECT_EQ(grants.right(pgvm1, "main"), Right::write);
    EXPECT_EQ(grants.right(pgvm1, "other"), Right::write);
    EXPECT_EQ(grants.right(pgvm1, "main2"), Right::none);
    EXPECT_EQ(grants.right(pgvm7, "main2"), Right::none);
    EXPECT_EQ(grants.right({.common_name = "backup"}, "anything"), Right::write);
    EXPECT_EQ(grants.right({.common_name = "x", .hosts = {"pgvm1"}}, "main"), Right::none)
        << "a list means common names alone";
    EXPECT_FALSE(grants.any(pgvm7));
    EXPECT_FALSE(grants.check(pgvm7, "main", Right::read));
}

TEST(StanzasIn, AreTheSectionsWithoutTheGlobalOnes) {
    EXPECT_EQ(stanzas_in({{.file = "f",
                           .text = "[global]\nrepo1-path=/x\n[b]\npg1-host=x\n[b:backup]\nx=y\n"
                                   "[global:backup]\nx=y\n[a]\npg1-host=y\n"}})
                  .value(),
              (std::vector<std::string>{"b", "a"}));
}

TEST(Grants, ALineThatSaysNothingIsRefused) {
    for (const auto* line : {"pgvm1", "=main", "pgvm1="}) {
        const auto read = Grants::of(
            {{.file = "f", .text = std::string("[global]\ntls-server-auth=") + line + "\n"}});
        EXPECT_FALSE(read) << line;
    }
}

}  // namespace
}  // namespace howdah::backup
