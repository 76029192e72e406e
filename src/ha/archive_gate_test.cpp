#include "ha/archive_gate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ha/archive_call.h"

namespace howdah::ha {
namespace {

const Origin from_main{.stanzas = {"main"}};

TEST(ArchiveGate, StaysShutForTheStanzaThatTheClusterCameFrom) {
    const auto gate = archive_gate(from_main, "pgbackrest --stanza=main archive-push %p", "", "");
    EXPECT_FALSE(gate.open);
    EXPECT_EQ(gate.stanza, "");  // no proof would help
    EXPECT_NE(gate.why.find("howdah.archive_into=main"), std::string::npos) << gate.why;
}

TEST(ArchiveGate, AsksForAProofOfAnotherStanza) {
    const auto gate = archive_gate(
        from_main, "pgbackrest --config=/etc/p.conf --stanza=main2 --archive-async archive-push %p",
        "", "");
    EXPECT_FALSE(gate.open);
    EXPECT_EQ(gate.stanza, "main2");
    EXPECT_EQ(gate.options, (std::vector<std::string>{"--config=/etc/p.conf", "--stanza=main2"}));
}

TEST(ArchiveGate, OpensForExactlyWhatTheScopeAllows) {
    const std::string to_main2 = "howdah --stanza main2 archive-push %p";
    EXPECT_TRUE(archive_gate(from_main, to_main2, "", "main2").open);
    EXPECT_FALSE(archive_gate(from_main, to_main2, "", "main3").open);
    // Proven as it stands: the same stanza elsewhere is proven again.
    const std::vector<std::string> proven{archive_gate(from_main, to_main2, "", "").place};
    EXPECT_TRUE(archive_gate(from_main, to_main2, "", "main2", proven).open);
    for (const auto* elsewhere : {"--config=/etc/other.conf", "--repo1-path=/other",
                                  "--repo1-host 10.0.0.7", "--repo2-path=/x"}) {
        const auto gate = archive_gate(
            from_main, fmt::format("howdah {} --stanza=main2 archive-push %p", elsewhere), "",
            "main2", proven);
        EXPECT_FALSE(gate.open) << elsewhere;
        EXPECT_EQ(gate.stanza, "main2") << elsewhere;
        EXPECT_NE(gate.place, proven[0]) << elsewhere;
        // An operator's word for a stanza that no proof is about.
        EXPECT_TRUE(archive_gate(from_main,
                                 fmt::format("howdah {} --stanza=main4 archive-push %p", elsewhere),
                                 "", "main4", proven)
                        .open);
    }
    for (const auto* unsaid : {"--no-config", "--reset-repo1-path"}) {
        const auto command = fmt::format("howdah {} --stanza=main2 archive-push %p", unsaid);
        EXPECT_EQ(archive_gate(from_main, command, "", "").stanza, "") << unsaid;
    }
    EXPECT_FALSE(archive_gate(from_main, to_main2, "", "any").open);
    // An operator's word that the old cluster is gone.
    EXPECT_TRUE(
        archive_gate(from_main, "pgbackrest --stanza=main archive-push %p", "", "main").open);
}

TEST(ArchiveGate, WhatNamesNoStanzaNeedsAnOperatorsWord) {
    EXPECT_FALSE(archive_gate(from_main, "cp %p /archive/%f", "", "").open);
    EXPECT_EQ(archive_gate(from_main, "cp %p /archive/%f", "", "").stanza, "");
    EXPECT_TRUE(archive_gate(from_main, "cp %p /archive/%f", "", "any").open);
    EXPECT_FALSE(archive_gate({}, "", "basic_archive", "").open);
    // A library comes before the command in PostgreSQL, so the command's stanza proves nothing.
    EXPECT_FALSE(archive_gate({}, "howdah --stanza=b archive-push %p", "basic_archive", "b").open);
}

TEST(ArchiveGate, OptionsAreTakenWithTheirValuesInBothForms) {
    EXPECT_EQ(archive_gate(from_main,
                           "/usr/bin/howdah --config /b.conf --repo1-bundle --repo1-path=/r "
                           "--log-level-file off --stanza b --repo1-type posix archive-push %p",
                           "", "")
                  .options,
              (std::vector<std::string>{"--config", "/b.conf", "--repo1-bundle", "--repo1-path=/r",
                                        "--repo1-type", "posix", "--stanza=b"}));
}

TEST(ArchiveGate, OneProofIsNotForACommandThatPushesTwice) {
    for (const auto* command :
         {"howdah --stanza=main archive-push %p && howdah --stanza=main2 archive-push %p",
          "howdah --stanza=main archive-push %p # --stanza=main2",
          "PGBACKREST_CONFIG=/old.conf howdah --stanza=main2 archive-push %p"}) {
        for (const auto* into : {"", "main", "main2"}) {
            const auto gate = archive_gate(from_main, command, "", into);
            EXPECT_FALSE(gate.open) << command;
            EXPECT_EQ(gate.stanza, "") << command;
        }
    }
    for (const auto* command : {"cp %p /old/%f && howdah --stanza=main2 archive-push %p",
                                "cp %p /old/%f; howdah --stanza=main2 archive-push %p",
                                "/opt/push.sh --stanza=main2 archive-push %p",
                                "howdah --stanza=main2 --config=$CONF archive-push %p",
                                "howdah --stanza=main2 archive-push `/opt/name %p`"}) {
        EXPECT_EQ(archive_gate(from_main, command, "", "").stanza, "") << command;
    }
    EXPECT_EQ(
        archive_gate(from_main, "howdah --stanza=b --stanza=b archive-push %p", "", "").stanza,
        "b");
}

TEST(ArchiveGate, StaysShutWithoutACommandOfTheConfigurationsOwn) {
    EXPECT_FALSE(archive_gate(from_main, "", "", "main2").open);
}

constexpr auto fresh =
    R"([{"archive":[{"database":{"id":1,"repo-key":1},"id":"15-1","max":null,"min":null}],)"
    R"("backup":[],"db":[{"id":1,"repo-key":1,"system-id":7000000000000000001,"version":"15"}],)"
    R"("name":"main2","status":{"code":2,"message":"no valid backups"}}])";

TEST(ArchiveProof, TakesAStanzaOfThisClusterWithoutWal) {
    EXPECT_EQ(objection_to_archive(fresh, "main2", "7000000000000000001"), "");
}

TEST(ArchiveProof, RefusesWhatIsAnothersOrUnreadable) {
    EXPECT_NE(objection_to_archive(fresh, "main2", "7000000000000000002"), "");
    EXPECT_NE(objection_to_archive(fresh, "main3", "7000000000000000001"), "");
    EXPECT_NE(objection_to_archive("ERROR: [103]", "main2", "7000000000000000001"), "");
    EXPECT_NE(objection_to_archive("[]", "main2", "7000000000000000001"), "");
}

TEST(ArchiveProof, RefusesWhereWalIsAlready) {
    std::string used = fresh;
    used.replace(used.find("null"), 4, R"("000000010000000000000004")");
    const auto why = objection_to_archive(used, "main2", "7000000000000000001");
    EXPECT_NE(why.find("000000010000000000000004"), std::string::npos) << why;
}

TEST(ArchiveProof, LooksAtEveryRepositoryOrAtNone) {
    const auto with_second = [](const std::string& status) {
        std::string text = fresh;
        return text.insert(text.rfind(R"("status")"),
                           R"("repo":[{"key":1,"status":{"code":2,"message":"no valid backups"}},)"
                           R"({"key":2,"status":)" +
                               status + "}],");
    };
    EXPECT_EQ(objection_to_archive(with_second(R"({"code":2,"message":"none"})"), "main2",
                                   "7000000000000000001"),
              "");
    for (const auto* status : {R"({"code":99,"message":"away"})", "{}", "7"}) {
        EXPECT_NE(objection_to_archive(with_second(status), "main2", "7000000000000000001"), "")
            << status;
    }
}

TEST(Origin, KeepsEveryStanzaOnce) {
    const auto origin = parse_origin("main\nmain2\nmain\n\n../x\n");
    EXPECT_EQ(origin.stanzas, (std::vector<std::string>{"main", "main2"}));
    EXPECT_EQ(parse_origin(render(origin)), origin);
}

TEST(StanzaOf, ReadsBothFormsAndTheLastOneCounts) {
    EXPECT_EQ(stanza_of("howdah --stanza=a archive-get %f \"%p\""), "a");
    EXPECT_EQ(stanza_of("howdah --stanza a --stanza=\"b\" archive-get %f %p"), "b");
    EXPECT_EQ(stanza_of("cp /archive/%f %p"), "");
    EXPECT_EQ(stanza_of("howdah --stanza=$NAME archive-push %p"), "");
}

}  // namespace
}  // namespace howdah::ha
