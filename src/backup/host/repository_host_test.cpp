#include "backup/host/repository_host.h"

#include <gtest/gtest.h>

#include "backup/options/exit_code.h"
#include "backup/stop_file.h"
#include "files/fake/memory_files.h"
#include "files/remote/host_for_test.h"

namespace howdah::backup {
namespace {

/// A repository host with two stanzas, as its clients meet it.
class RepositoryHostTest : public testing::Test {
protected:
    RepositoryHostTest() {
        configure("[main]\npg1-host=pgvm1\n[other]\npg1-host=pgvm2\n");
        EXPECT_TRUE(server_.start());
    }
    ~RepositoryHostTest() override { std::filesystem::remove_all(folder_); }

    void configure(const std::string& stanzas) const {
        std::ofstream(folder_ + "/pgbackrest.conf")
            << "[global]\nrepo1-path=/one\nrepo2-path=/two\nlock-path=" << lock_path() << "\n"
            << stanzas;
    }
    std::string lock_path() const { return folder_ + "/lock"; }
    std::unique_ptr<files::Files> client(const std::string& name, const RepositoryWish& wish) {
        return std::make_unique<files::RemoteFiles>(
            std::make_shared<files::RemotePool>(
                remote::Place{.host = "127.0.0.1", .port = server_.port()},
                io::tls_client(certificates_.host({name})).value(), std::string(repository_service),
                to_json(wish)),
            "repository");
    }
    std::vector<std::string> names(files::Files& files, std::string_view folder) {
        std::vector<std::string> all;
        EXPECT_TRUE(files.list(folder, [&](const files::Entry& entry) {
            all.push_back(entry.path);
            return Result<>{};
        }));
        return all;
    }

    static std::string make_folder() {
        char name[] = "/tmp/howdah-host-XXXXXX";
        return mkdtemp(name);
    }
    /// Of each client its own, with what lies there.
    static Result<std::unique_ptr<files::Files>> open(const RepositoryOptions& /*options*/) {
        auto files = std::make_unique<files::MemoryFiles>();
        for (const auto* path : {"archive/main/x", "archive/other/x", "backup/main/x", "secret"}) {
            EXPECT_TRUE(files::write_all(*files, path, path));
        }
        return files;
    }

    std::string folder_ = make_folder();
    files::CertificatesForTest certificates_{};
    RepositoryHost host_{folder_ + "/pgbackrest.conf", open, [](std::string_view) {}};
    remote::Server server_{
        {.service = std::string(repository_service),
         .host = "127.0.0.1",
         .port = 0,
         .tls = certificates_.host({"127.0.0.1"})},
        [this](const auto& peer, const auto& hello) { return host_.open(peer, hello); },
        [](const auto&, const auto&) {}};
};

TEST_F(RepositoryHostTest, AClientChangesItsStanzaAndReadsOthers) {
    const auto files = client("pgvm1", {.stanza = "main"});
    EXPECT_TRUE(files::write_all(*files, "archive/main/y", "y"));
    EXPECT_TRUE(files->remove("archive/main/y"));
    EXPECT_EQ(files::read_all(*files, "archive/other/x"), "archive/other/x");
    for (const auto* path : {"archive/other/y", "backup/other/y", "y", "archive/y"}) {
        const auto written = files::write_all(*files, path, "y");
        ASSERT_FALSE(written) << path;
        EXPECT_EQ(written.error().code, Errc::invalid);
    }
    EXPECT_FALSE(files->remove_tree("archive"));
    EXPECT_FALSE(files->remove_tree(""));
    EXPECT_FALSE(files->hard_link("archive/main/y", "archive/other/x"));
    EXPECT_FALSE(files->read("secret"));
    EXPECT_FALSE(files->stat("secret"));
    EXPECT_EQ(names(*files, "archive"),
              (std::vector<std::string>{"archive/main", "archive/other"}));
}

TEST_F(RepositoryHostTest, WhatIsArchivedIsReplacedByNoClient) {
    const auto files = client("pgvm1", {.stanza = "main"});
    const auto stored = "archive/main/15-1/0000000100000000/000000010000000000000003-";
    ASSERT_TRUE(files::write_all(*files, stored + std::string(40, 'a'), "first"));
    const auto other = files::write_all(*files, stored + std::string(40, 'b') + ".gz", "other");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::unsafe);
    EXPECT_EQ(exit_code_of(other.error()), ExitCode::archive_duplicate);
    EXPECT_EQ(files::write_all(*files, stored + std::string(40, 'a'), "other").error().code,
              Errc::conflict);
    EXPECT_EQ(files::read_all(*files, stored + std::string(40, 'a')), "first");
}

TEST_F(RepositoryHostTest, NoLinkMakesAnothersStanzaOnesOwn) {
    const auto files = client("pgvm1", {.stanza = "main"});
    ASSERT_TRUE(files->remove_tree("archive/main"));
    const auto made = files->link("archive/main", "other");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::invalid);
    EXPECT_TRUE(files->link("backup/main/latest", "x"));
}

TEST_F(RepositoryHostTest, AListOfClientsHidesWhatItDoesNotName) {
    configure("tls-server-auth=pgvm1=main\n");
    const auto files = client("pgvm1", {.stanza = "main"});
    EXPECT_FALSE(files->read("archive/other/x"));
    EXPECT_EQ(names(*files, "archive"), std::vector<std::string>{"archive/main"});
    EXPECT_FALSE(client("pgvm1", {.stanza = "other"})->stat("archive/main/x"));
    EXPECT_FALSE(client("pgvm2", {})->stat("archive/main/x"));
    EXPECT_TRUE(client("pgvm1", {})->stat("archive/main/x"));
}

TEST_F(RepositoryHostTest, OneProcessAtATimeHoldsAStanza) {
    const auto one = client("pgvm1", {.stanza = "main", .process = "1-a"});
    const auto two = client("pgvm1", {.stanza = "main", .process = "2-b"});
    const auto again = client("pgvm1", {.stanza = "main", .repository = 2, .process = "1-a"});
    auto held = one->hold("backup").value();
    EXPECT_EQ(exit_code_of(two->hold("backup").error()), ExitCode::lock_acquire);
    EXPECT_TRUE(is_locked(lock_path() + "/main-backup.lock"));
    {
        const auto both = again->hold("backup");
        EXPECT_TRUE(both) << "the same process, on its second repository";
    }
    EXPECT_FALSE(two->hold("backup")) << "the first one still has it";
    EXPECT_FALSE(client("pgvm2", {.stanza = "main"})->hold("backup")) << "it may only read";
    EXPECT_TRUE(client("pgvm2", {.stanza = "other"})->hold("backup")) << "another stanza";
    held.reset();
    EXPECT_TRUE(two->hold("backup"));
}

TEST_F(RepositoryHostTest, EachClientThatMayReadSeesThatABackupRuns) {
    const auto one = client("pgvm1", {.stanza = "main", .process = "1-a"});
    const auto other = client("pgvm2", {});
    EXPECT_FALSE(other->held("backup", "main").value());
    auto held = one->hold("backup").value();
    EXPECT_TRUE(other->held("backup", "main").value());
    EXPECT_FALSE(other->held("backup", "other").value());
    EXPECT_FALSE(other->held("backup", "../main"));
    EXPECT_FALSE(other->held("archive", "main"));
    held.reset();
    const auto path = lock_path() + "/main-backup-1.lock";  // of a command on the host
    const auto there = LockFile::take(path).value();
    there.note_progress(5000);
    EXPECT_EQ(other->held("backup", "main").value().value().hundredths, 5000U);
    configure("tls-server-auth=pgvm2=other\n");
    EXPECT_FALSE(client("pgvm2", {})->held("backup", "main"));
}

TEST_F(RepositoryHostTest, AStoppedStanzaTakesNoWork) {
    ASSERT_TRUE(stop(lock_path(), "main"));
    const auto refused = client("pgvm1", {.stanza = "main", .command = "archive-push"})->stat("");
    EXPECT_EQ(exit_code_of(refused.error()), ExitCode::stop);
    EXPECT_TRUE(client("pgvm1", {.stanza = "main", .command = "restore"})->stat("archive/main/x"));
    EXPECT_TRUE(client("pgvm2", {.stanza = "other", .command = "archive-push"})->stat(""));
}

TEST_F(RepositoryHostTest, ARepositoryThatIsNotThereIsNamed) {
    const auto refused = client("pgvm1", {.stanza = "main", .repository = 3})->stat("");
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.contains("no repo3, but repo1, repo2"))
        << refused.error().message;
    EXPECT_FALSE(client("pgvm1", {.stanza = "../main"})->stat(""));
}

}  // namespace
}  // namespace howdah::backup
