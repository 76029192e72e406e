#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <utility>

#include "backup/command/archive/archive_get.h"
#include "backup/command/archive/archive_push.h"
#include "backup/command/archive/get_file.h"
#include "backup/command/archive/push_plan.h"
#include "backup/command/archive/pusher.h"
#include "backup/command/archive/pusher_socket.h"
#include "backup/command/archive/spool.h"
#include "backup/options/exit_code.h"
#include "backup/site_for_test.h"
#include "io/files.h"
#include "pg/wal_segment.h"
#include "repo/info/archive_info.h"

namespace howdah::backup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string name_of(int number) {
    return fmt::format("00000001000000000000{:04X}", number);
}

TEST(PushPlan, PushesWhatIsReadyAndNotDoneHistoriesFirst) {
    const auto plan = plan_push({{"B", 10}, {"00000002.history", 10}, {"A", 10}, {"C", 10}},
                                {{"A.ok", 10}, {"B.error", 20}}, 10);
    EXPECT_THAT(plan.push, ElementsAre("00000002.history", "B", "C"));
    EXPECT_THAT(plan.stale, ElementsAre("B.error"));
}

TEST(PushPlan, AnOkThatIsOlderThanTheContentSaysNothing) {
    const auto plan = plan_push({{"A", 11}}, {{"A.ok", 10}}, 10);
    EXPECT_THAT(plan.push, ElementsAre("A"));
    EXPECT_THAT(plan.stale, ElementsAre("A.ok"));
}

TEST(PushPlan, WhatIsNotWantedLeavesTheSpool) {
    const auto plan =
        plan_push({{"A", 1}},
                  {{"A.ok", 2}, {"Z.ok", 2}, {"global.error", 2}, {"A.ok.pgbackrest.tmp", 2}}, 10);
    EXPECT_THAT(plan.push, IsEmpty());
    EXPECT_THAT(plan.stale, ElementsAre("Z.ok", "global.error", "A.ok.pgbackrest.tmp"));
}

TEST(PushPlan, TakesNoMoreThanABatch) {
    EXPECT_THAT(plan_push({{"C", 1}, {"A", 1}, {"B", 1}}, {}, 2).push, ElementsAre("A", "B"));
}

/// A stanza, and a folder for the spool.
struct Archive : SiteForTest {
    explicit Archive(std::size_t repositories = 1) : SiteForTest(repositories) {
        const auto cluster = site.cluster().value();
        const repo::ArchiveInfo info{
            .written_by = "test",
            .current = 1,
            .history = {{1, {.system_id = cluster.system_id, .version = cluster.version}}}};
        for (auto& repository : site.repositories) {
            EXPECT_TRUE(repository.save("main", info));
        }
        site.options.command = "archive-push";
        site.options.archive.spool_path = folder() + "/spool";
    }

    Spool out() const { return Spool(site.options, Direction::push); }

    /// A segment that PostgreSQL wants archived; its path.
    std::string make_ready(int number) const {
        const auto path = write_wal(name_of(number), "content of " + name_of(number));
        (void)write_local("pg_wal/archive_status/" + name_of(number) + ".ready", "");
        return data() + "/" + path;
    }
    std::size_t archived(std::size_t at = 0) const {
        std::size_t segments = 0;
        for (const auto& [path, content] : stored("archive/main", at)) {
            segments += path.contains("/15-1/") ? 1 : 0;
        }
        return segments;
    }
    std::vector<std::string> spooled() const {
        std::vector<std::string> names;
        for (const auto& file : out().files().value()) {
            names.push_back(file.name);
        }
        std::ranges::sort(names);
        return names;
    }
};

TEST(Spool, SaysWhatWasToldInPgbackrestsForm) {
    Archive here;
    const auto spool = here.out();
    ASSERT_TRUE(spool.prepare());
    EXPECT_EQ(spool.status("A").value(), std::nullopt);
    ASSERT_TRUE(spool.tell("A", {}));
    ASSERT_TRUE(spool.tell("B", {.message = "seen before"}));
    ASSERT_TRUE(spool.tell("C", {.exit_code = 45, .message = "two\nlines"}));
    EXPECT_EQ(io::read_file(spool.path_of("A.ok")).value(), "");
    EXPECT_EQ(io::read_file(spool.path_of("B.ok")).value(), "0\nseen before");
    EXPECT_EQ(io::read_file(spool.path_of("C.error")).value(), "45\ntwo\nlines");
    EXPECT_EQ(spool.status("B").value()->message, "seen before");
    EXPECT_EQ(spool.status("C").value()->exit_code, 45);
    EXPECT_EQ(spool.status("C").value()->message, "two\nlines");
    ASSERT_TRUE(spool.tell_all({.exit_code = 62, .message = "stopped"}));
    EXPECT_EQ(spool.status("D").value()->exit_code, 62);
    EXPECT_EQ(spool.status("A").value()->exit_code, 0);
}

TEST(Spool, WhatItCannotReadIsAnError) {
    Archive here;
    ASSERT_TRUE(here.out().prepare());
    std::ofstream(here.out().path_of("A.ok")) << "nonsense";
    const auto status = here.out().status("A");
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("spool-path"));
}

TEST(ArchivePushInBackground, PushesAllThatIsReadyAndTellsOfEach) {
    Archive here(2);
    here.site.options.process_max = 3;
    for (int number = 1; number <= 5; ++number) {
        (void)here.make_ready(number);
    }
    ASSERT_TRUE(archive_push_in_background(here.site));
    EXPECT_EQ(here.archived(0), 5U);
    EXPECT_EQ(here.archived(1), 5U);
    EXPECT_THAT(here.spooled(),
                ElementsAre(name_of(1) + ".ok", name_of(2) + ".ok", name_of(3) + ".ok",
                            name_of(4) + ".ok", name_of(5) + ".ok"));
}

TEST(ArchivePushInBackground, BeginsWithNoOtherAfterAFailureAndSaysOkOfNone) {
    Archive here(2);
    for (int number = 1; number <= 3; ++number) {
        (void)here.make_ready(number);
    }
    ASSERT_TRUE(here.files[1]->remove_tree("archive"));
    EXPECT_FALSE(archive_push_in_background(here.site));
    EXPECT_THAT(here.spooled(), ElementsAre(name_of(1) + ".error"));
    EXPECT_EQ(here.archived(0), 1U) << "the other repository has it all the same";
}

TEST(ArchivePushInBackground, LeavesTheWorkToWhoHoldsTheLock) {
    Archive here;
    (void)here.make_ready(1);
    const auto lock = here.site.lock(LockKind::archive);
    const auto pushed = archive_push_in_background(here.site);
    ASSERT_FALSE(pushed);
    EXPECT_EQ(exit_code_of(pushed.error()), ExitCode::lock_acquire);
    EXPECT_EQ(here.archived(), 0U);
}

TEST(ArchiveGetInBackground, FillsTheQueueAsFarAsTheArchiveGoes) {
    Archive here;
    for (int number = 1; number <= 2; ++number) {
        PushRoom room;
        const auto path = here.make_ready(number);
        ASSERT_TRUE(push_file(here.site, here.site.cluster().value(), path, here.site.notes, room));
    }
    const Spool queue(here.site.options, Direction::get);
    ASSERT_TRUE(queue.prepare());
    ASSERT_TRUE(queue.tell(name_of(1), {}));
    std::ofstream(queue.path_of("0000000100000000000000FF")) << "of an older request";
    here.site.options.arguments = {name_of(1), name_of(2), name_of(3), name_of(4)};
    ASSERT_TRUE(archive_get_in_background(here.site));
    std::vector<std::string> names;
    for (const auto& file : queue.files().value()) {
        names.push_back(file.name);
    }
    std::ranges::sort(names);
    EXPECT_THAT(names, ElementsAre(name_of(1), name_of(2), name_of(3) + ".ok"));
    EXPECT_EQ(io::read_file(queue.path_of(name_of(2))).value(),
              io::read_file(here.data() + "/pg_wal/" + name_of(2)).value());
}

TEST(ArchiveGetInBackground, WhatCouldNotBeLookedAtIsAnErrorAndNotMissing) {
    Archive here(2);
    ASSERT_TRUE(here.files[1]->remove_tree("archive"));
    here.site.options.arguments = {name_of(1), name_of(2)};
    EXPECT_FALSE(archive_get_in_background(here.site));
    const Spool queue(here.site.options, Direction::get);
    const auto status = queue.status(name_of(1)).value();
    ASSERT_TRUE(status);
    EXPECT_NE(status->exit_code, 0);
    EXPECT_EQ(queue.files().value().size(), 1U);
}

/// An archive whose timelines hold what the test says.
struct Timelines : Archive {
    void archive(pg::Timeline timeline, int first, int last) {
        for (int number = first; number <= last; ++number) {
            const auto name = name_on(timeline, number);
            EXPECT_TRUE(archive_push(site, write_wal(name, name)));
        }
    }
    void archive_history(pg::Timeline timeline, const std::string& text) {
        const auto name = pg::history_name(timeline);
        EXPECT_TRUE(archive_push(site, write_local("pg_wal/" + name, text)));
    }
    static std::string name_on(pg::Timeline timeline, int number) {
        return fmt::format("{:08X}00000000{:08X}", timeline, number);
    }
    /// What who asks for it is told: nullopt when recovery may end before it.
    std::optional<Errc> fault(pg::Timeline timeline, int number) {
        const auto end = is_end_of_wal(site, name_on(timeline, number));
        return end ? std::nullopt : std::optional(end.error().code);
    }
};

TEST(EndOfWal, IsNotBesideABranch) {
    Timelines here;
    here.archive(1, 1, 5);
    EXPECT_EQ(here.fault(1, 6), std::nullopt) << "nobody knows of more";
    here.archive_history(2, "1\t0/7000060\tno recovery target specified\n");
    EXPECT_EQ(here.fault(1, 6), Errc::not_found);
    here.archive(2, 7, 8);
    EXPECT_EQ(here.fault(1, 6), Errc::not_found);
    EXPECT_EQ(here.fault(1, 7), std::nullopt) << "the new timeline has a copy";
    EXPECT_EQ(here.fault(1, 8), std::nullopt);
    EXPECT_EQ(here.fault(2, 9), std::nullopt);
    EXPECT_EQ(here.fault(2, 5), std::nullopt) << "before the timeline begins";
    EXPECT_EQ(here.fault(3, 9), std::nullopt);
    EXPECT_EQ(here.fault(1, 0), std::nullopt) << "it has expired";
}

TEST(EndOfWal, IsNotAtTheFirstSegmentOfATimelineThatGoesOn) {
    Timelines here;
    here.archive(1, 1, 6);
    here.archive_history(2, "1\t0/7000060\tno recovery target specified\n");
    here.archive(2, 8, 9);
    EXPECT_EQ(here.fault(2, 7), Errc::not_found);
    EXPECT_EQ(here.fault(2, 6), std::nullopt) << "before the timeline begins";
}

TEST(EndOfWal, IsSeenThroughSeveralBranches) {
    Timelines here;
    here.archive(1, 1, 3);
    here.archive_history(3, "1\t0/4000060\tone\n2\t0/7000000\ttwo\n");
    EXPECT_EQ(here.fault(1, 4), std::nullopt);
    EXPECT_EQ(here.fault(2, 4), Errc::not_found);
    EXPECT_EQ(here.fault(2, 6), Errc::not_found);
    EXPECT_EQ(here.fault(2, 7), std::nullopt);
}

TEST(EndOfWal, AHistoryThatCannotBeReadIsAnErrorAndNotTheEnd) {
    Timelines here;
    here.archive(1, 1, 5);
    here.archive_history(2, "1\t0/70000");
    ASSERT_TRUE(files::write_all(*here.files[0], "archive/main/15-1/00000002.history", "damage"));
    EXPECT_EQ(here.fault(1, 6), Errc::corrupt);
    EXPECT_EQ(here.fault(3, 6), std::nullopt) << "of no timeline above";
}

TEST(EndOfWal, IsNotWhereBackupsHaveLostTheirArchive) {
    SiteForTest here;
    here.load("plain-bz2");
    const auto next = "0000000100000000000000FF";
    ASSERT_TRUE(is_end_of_wal(here.site, next));
    ASSERT_TRUE(here.files[0]->remove_tree("archive/main/15-1"));
    const auto end = is_end_of_wal(here.site, next);
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().code, Errc::not_found);
    EXPECT_THAT(end.error().message, HasSubstr("archive/main/15-1 of repo1 holds no WAL"));

    auto info = here.site.repositories[0].backup_info("main").value();
    info.backups.clear();
    ASSERT_TRUE(here.site.repositories[0].save("main", info));
    EXPECT_TRUE(is_end_of_wal(here.site, next)) << "nothing has been archived yet";
}

/// A pusher whose requests all go to one site's repositories, in memory.
struct PusherAt : Archive {
    using Archive::Archive;

    Result<std::vector<std::string>> push(const std::string& path) {
        return pusher.push({.path = path}, [] {});
    }

    /// Repositories are of one process: each request gets a site that names them anew.
    Result<std::unique_ptr<Site>> open() const {
        auto made = std::make_unique<Site>();
        made->options = site.options;
        for (std::size_t at = 0; at < files.size(); ++at) {
            made->repositories.emplace_back(static_cast<std::uint32_t>(at + 1),
                                            std::make_unique<SharedFiles>(*files[at]), "");
        }
        return made;
    }

    /// The memory of another, which outlives it.
    class SharedFiles : public files::Files {
    public:
        explicit SharedFiles(files::Files& other) : other_(other) {}
        std::string name() const override { return other_.name(); }
        Result<std::unique_ptr<files::Source>> read(std::string_view path,
                                                    files::ReadRange range) override {
            return other_.read(path, range);
        }
        Result<std::unique_ptr<files::Sink>> write(std::string_view path, files::NameSync names,
                                                   files::IfTaken taken) override {
            return other_.write(path, names, taken);
        }
        Result<> remove_unfinished(std::string_view folder) override {
            return other_.remove_unfinished(folder);
        }
        Result<> sync_tree(std::string_view folder) override { return other_.sync_tree(folder); }
        Result<std::optional<files::Entry>> stat(std::string_view path) override {
            return other_.stat(path);
        }
        Result<> list(std::string_view folder,
                      const std::function<Result<>(const files::Entry&)>& each) override {
            return other_.list(folder, each);
        }
        Result<> remove(std::string_view path) override { return other_.remove(path); }
        Result<> remove_tree(std::string_view folder) override {
            return other_.remove_tree(folder);
        }
        Result<> make_folder(std::string_view folder) override {
            return other_.make_folder(folder);
        }
        Result<> hard_link(std::string_view path, std::string_view existing) override {
            return other_.hard_link(path, existing);
        }
        Result<> link(std::string_view path, std::string_view target) override {
            return other_.link(path, target);
        }

    private:
        files::Files& other_;
    };

    Pusher pusher{[this](const PushRequest&) { return open(); }};
};

/// Segments cannot be written, for somebody else is writing them; or written, but not looked at.
class ContendedFiles final : public PusherAt::SharedFiles {
public:
    ContendedFiles(files::Files& other, bool writable) : SharedFiles(other), writable_(writable) {}
    Result<std::unique_ptr<files::Sink>> write(std::string_view path, files::NameSync names,
                                               files::IfTaken taken) override {
        written_ = true;
        return writable_ ? SharedFiles::write(path, names, taken)
                         : fail(Errc::conflict, "somebody else is writing it");
    }
    Result<> list(std::string_view folder,
                  const std::function<Result<>(const files::Entry&)>& each) override {
        return writable_ && written_ ? fail(Errc::unavailable, "no answer")
                                     : SharedFiles::list(folder, each);
    }

private:
    bool writable_, written_ = false;
};

TEST(ArchivePush, WhatAnotherOneOnlyBeganToWriteIsNotArchived) {
    Archive here;
    const auto memory = std::exchange(here.site.repositories, {});
    here.site.repositories.emplace_back(1, std::make_unique<ContendedFiles>(*here.files[0], false),
                                        "");
    EXPECT_FALSE(archive_push(here.site, here.make_ready(1)));
    EXPECT_EQ(here.archived(), 0U);
}

TEST(ArchivePush, WhatCannotBeLookedAtStaysForSomebodyElseMayCountOnIt) {
    Archive here;
    const auto memory = std::exchange(here.site.repositories, {});
    here.site.repositories.emplace_back(1, std::make_unique<ContendedFiles>(*here.files[0], true),
                                        "");
    EXPECT_FALSE(archive_push(here.site, here.make_ready(1)));
    EXPECT_EQ(here.archived(), 1U);
}

TEST(ArchivePush, ATimelinesHistoryIsNeverReplaced) {
    Archive here;
    const auto path = here.write_local("pg_wal/00000002.history", "1\t0/3000000\tno reason");
    ASSERT_TRUE(archive_push(here.site, path));
    EXPECT_TRUE(archive_push(here.site, path)) << "the same content";
    (void)here.write_local("pg_wal/00000002.history", "1\t0/4000000\tanother's");
    const auto other = archive_push(here.site, path);
    ASSERT_FALSE(other);
    EXPECT_EQ(exit_code_of(other.error()), ExitCode::archive_duplicate);
    EXPECT_EQ(here.stored("archive/main").at("archive/main/15-1/00000002.history"),
              "1\t0/3000000\tno reason");
}

TEST(ArchivePush, NobodysHistoryGivesWayToTheOneThatIsThere) {
    Archive here;
    const auto path = here.write_local("pg_wal/00000002.history", "1\t0/3000000\tno reason");
    ASSERT_TRUE(archive_push(here.site, path));
    (void)here.write_local("pg_wal/00000002.history", "1\t0/0\treserved\n");
    EXPECT_TRUE(archive_push(here.site, path)) << "else the archiver tries it for ever";
    EXPECT_EQ(here.stored("archive/main").at("archive/main/15-1/00000002.history"),
              "1\t0/3000000\tno reason");
}

TEST(ArchivePush, ABackupLabelStaysAndHoldsUpNothing) {
    Archive here;
    const auto name = name_of(1) + ".00000028.backup";
    const auto path = here.write_local("pg_wal/" + name, "START WAL LOCATION");
    ASSERT_TRUE(archive_push(here.site, path));
    (void)here.write_local("pg_wal/" + name, "");
    EXPECT_TRUE(archive_push(here.site, path)) << "PostgreSQL's own lost its end in a crash";
    EXPECT_EQ(here.stored("archive/main").at("archive/main/15-1/0000000100000000/" + name),
              "START WAL LOCATION");
}

TEST(Pusher, AnswersWhenEveryRepositoryHasTheFile) {
    PusherAt here(2);
    const auto path = here.make_ready(1);
    ASSERT_TRUE(here.push(path));
    EXPECT_EQ(here.archived(0), 1U);
    EXPECT_EQ(here.archived(1), 1U);
    const auto again = here.push(path);
    ASSERT_TRUE(again);
    EXPECT_THAT(*again, SizeIs(2)) << "each says that it has it already";
}

TEST(Pusher, PushesAheadAndSoTheNextAnswersAreThere) {
    PusherAt here;
    here.site.options.process_max = 2;
    std::vector<std::string> paths;
    for (int number = 1; number <= 6; ++number) {
        paths.push_back(here.make_ready(number));
    }
    ASSERT_TRUE(here.push(paths[0]));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (here.archived() < 6 && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
    }
    EXPECT_EQ(here.archived(), 6U);
    for (const auto& path : paths) {
        const auto pushed = here.push(path);
        ASSERT_TRUE(pushed);
        EXPECT_EQ(pushed->size(), path == paths[0] ? 1U : 0U) << "pushed once, and asked for once";
    }
}

TEST(Pusher, WhatWasPushedOfOtherContentSaysNothing) {
    PusherAt here;
    here.site.options.process_max = 2;
    (void)here.make_ready(1);
    const auto path = here.make_ready(2);
    ASSERT_TRUE(here.push(here.data() + "/pg_wal/" + name_of(1)));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (here.archived() < 2 && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
    }
    (void)here.write_wal(name_of(2), "of another cluster, from before a restore");
    const auto pushed = here.push(path);
    ASSERT_FALSE(pushed);
    EXPECT_EQ(exit_code_of(pushed.error()), ExitCode::archive_duplicate);
}

TEST(Pusher, AFailureIsToldToWhoAskedAndTriedAgain) {
    PusherAt here(2);
    const auto path = here.make_ready(1);
    const auto kept = here.stored("archive/main", 1);
    ASSERT_TRUE(here.files[1]->remove_tree("archive"));
    EXPECT_FALSE(here.push(path));
    for (const auto& [name, content] : kept) {
        ASSERT_TRUE(files::write_all(*here.files[1], name, content));
    }
    EXPECT_TRUE(here.push(path));
    EXPECT_EQ(here.archived(1), 1U);
}

TEST(Pusher, AStoppedStanzaTakesNothing) {
    PusherAt here;
    const auto path = here.make_ready(1);
    ASSERT_TRUE(io::make_directories(here.site.options.lock_path, 0770));
    std::ofstream(here.site.options.lock_path + "/main.stop") << "";
    const auto pushed = here.push(path);
    ASSERT_FALSE(pushed);
    EXPECT_EQ(exit_code_of(pushed.error()), ExitCode::stop);
    EXPECT_EQ(here.archived(), 0U);
}

TEST(PusherSocket, CarriesARequestAndItsWarnings) {
    PusherAt here;
    const auto path = here.make_ready(1);
    const auto socket = here.folder() + "/" + std::string(pusher_socket_name);
    const auto listener = listen_for_pushes(socket);
    ASSERT_TRUE(listener) << listener.error().message;
    struct stat found{};
    ASSERT_EQ(stat(socket.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600U);
    std::jthread serving([&] {
        EXPECT_TRUE(serve_pushes(listener->get(), here.pusher, std::chrono::milliseconds(200)));
    });
    const auto ask = [&](const std::string& wal) {
        return ask_pusher(socket, {.words = {"--stanza=main"}, .path = wal},
                          std::chrono::milliseconds(10'000));
    };
    EXPECT_THAT(ask(path).value(), IsEmpty());
    EXPECT_THAT(ask(path).value(), ElementsAre(HasSubstr("already exists")));
    EXPECT_EQ(ask(here.data() + "/pg_wal/" + name_of(9)), std::nullopt) << "it is not there";
}

TEST(PusherSocket, WhereNobodyAnswersTheCallerPushesItself) {
    Archive here;
    const auto socket = here.folder() + "/" + std::string(pusher_socket_name);
    const auto ask = [&] { return ask_pusher(socket, {}, std::chrono::milliseconds(50)); };
    EXPECT_EQ(ask(), std::nullopt) << "no socket";
    {
        const auto listener = listen_for_pushes(socket);
        EXPECT_EQ(ask(), std::nullopt) << "nobody serves";
    }
    EXPECT_EQ(ask(), std::nullopt) << "nobody listens";
    std::filesystem::remove(socket);
    std::ofstream(socket) << "no socket";
    EXPECT_EQ(ask(), std::nullopt);
    EXPECT_EQ(listen_for_pushes(std::string(200, 'x')).error().code, Errc::invalid);
}

}  // namespace
}  // namespace howdah::backup
