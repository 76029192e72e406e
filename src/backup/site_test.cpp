#include "backup/site.h"

#include <gmock/gmock.h>

#include <atomic>
#include <set>

#include "backup/option_sources.h"
#include "backup/options/exit_code.h"
#include "backup/site_for_test.h"
#include "backup/stop_file.h"
#include "backup/workers.h"

namespace howdah::backup {
namespace {

TEST(Workers, DoEachJobOnce) {
    std::mutex mutex;
    std::multiset<std::size_t> done;
    ASSERT_TRUE(in_parallel(4, 1000, [&](std::size_t at) -> Result<> {
        const std::scoped_lock lock(mutex);
        done.insert(at);
        return {};
    }));
    EXPECT_EQ(done.size(), 1000U);
    EXPECT_EQ(std::set(done.begin(), done.end()).size(), 1000U);
}

TEST(Workers, BeginNothingAfterAFailure) {
    std::atomic<std::size_t> begun = 0;
    const auto failed = in_parallel(2, 100'000, [&](std::size_t at) -> Result<> {
        ++begun;
        return at == 10 ? fail(Errc::io, "the eleventh") : Result<>{};
    });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "the eleventh");
    EXPECT_LT(begun, 100'000U);
    EXPECT_TRUE(in_parallel(3, 0, [](std::size_t) { return fail(Errc::io, "none"); }));
}

TEST(Site, TellsWhatAnOrderLacksByItsExitCode) {
    Site site{.options = {.command = "archive-push"}};
    EXPECT_EQ(exit_code_of(site.needs_stanza().error()), ExitCode::option_required);
    EXPECT_EQ(exit_code_of(site.data_directory().error()), ExitCode::option_required);
}

TEST(Site, PathsAreThoseOfPostgresql) {
    SiteForTest here;
    EXPECT_EQ(here.site.local_path("pg_wal/x"), here.data() + "/pg_wal/x");
    EXPECT_EQ(here.site.local_path("/else/x"), "/else/x");
}

TEST(Site, AStopFileOfTheStanzaOrOfAllForbidsWork) {
    SiteForTest here;
    EXPECT_TRUE(here.site.may_work());
    for (const auto* stanza : {"main", ""}) {
        EXPECT_EQ(stop(here.site.options.lock_path, stanza), true);
        EXPECT_EQ(exit_code_of(here.site.may_work().error()), ExitCode::stop);
        EXPECT_EQ(start(here.site.options.lock_path, stanza), true);
    }
    EXPECT_TRUE(here.site.may_work());
}

TEST(Site, OneAtATimeHoldsALock) {
    SiteForTest here(2);
    const auto path = here.site.options.lock_path + "/main-backup.lock";
    {
        const auto held = here.site.lock(LockKind::backup);
        ASSERT_TRUE(held);
        EXPECT_TRUE(is_locked(path));
        EXPECT_TRUE(is_locked(here.site.options.lock_path + "/main-backup-2.lock"));
        EXPECT_EQ(exit_code_of(here.site.lock(LockKind::backup).error()), ExitCode::lock_acquire);
        EXPECT_TRUE(is_locked(path)) << "who did not get it leaves it to its holder";
        EXPECT_TRUE(here.site.lock(LockKind::restore));
    }
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_TRUE(here.site.lock(LockKind::backup));
}

TEST(Site, WhoAskedIsNotKeptOutByItself) {
    SiteForTest here;
    const auto held = here.site.lock(LockKind::backup);
    here.site.asked_by = "another";
    EXPECT_FALSE(here.site.lock(LockKind::backup));
    here.site.asked_by = execution_id();
    EXPECT_TRUE(here.site.lock(LockKind::backup));
}

TEST(Site, RepositoriesAreOpenedAsTheOptionsNameThem) {
    Options options{.repositories = {{.index = 1}, {.index = 3}}};
    const auto open = [](const RepositoryOptions&) -> Result<std::unique_ptr<files::Files>> {
        return std::make_unique<files::MemoryFiles>();
    };
    EXPECT_EQ(open_repositories(options, open).value().size(), 2U);
    options.repo = 3;
    EXPECT_EQ(open_repositories(options, open).value().front().index(), 3U);
    options.repo = 2;
    EXPECT_EQ(exit_code_of(open_repositories(options, open).error()),
              ExitCode::option_invalid_value);
}

TEST(OptionSources, TheCommandLineNamesTheFileBeforeTheEnvironmentDoes) {
    SiteForTest here;
    const auto first = here.write_local("first.conf", "[global]\n");
    const auto second = here.write_local("second.conf", "[global]\n");
    const std::map<std::string, std::string> environment{{"PGBACKREST_CONFIG", second}};
    EXPECT_EQ(find_option_sources({"--config=" + first}, environment).value().files.front().file,
              first);
    EXPECT_EQ(find_option_sources({"info"}, environment).value().files.front().file, second);
    EXPECT_EQ(find_option_sources({"--config", first + "x"}, {}).error().code, Errc::not_found);
}

}  // namespace
}  // namespace howdah::backup
