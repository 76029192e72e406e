#include <gmock/gmock.h>

#include "backup/command/restore/restore.h"
#include "backup/options/exit_code.h"
#include "backup/site_for_test.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

struct EmptySite : SiteForTest {
    explicit EmptySite(const std::string& fixture) {
        load(fixture);
        std::filesystem::remove_all(data());
        std::filesystem::create_directory(data());
        std::filesystem::permissions(data(), std::filesystem::perms::owner_all);
    }
};

TEST(Restore, EveryFileOfAFixtureHasTheSumThatPgbackrestRestored) {
    for (const auto& name : repo::fixtures::plain_names()) {
        const auto& fixture = repo::fixtures::load(name);
        EmptySite here(name);
        here.site.options.restore.type = "none";
        here.site.options.process_max = 2;
        const auto done = restore(here.site);
        ASSERT_TRUE(done) << done.error().message;
        for (const auto& [path, sum] : fixture.restored(fixture.labels().back())) {
            const auto content = io::read_file(here.data() + "/" + path);
            ASSERT_TRUE(content) << path;
            EXPECT_EQ(repo::fixtures::sha256(*content), sum) << path;
        }
    }
}

TEST(Restore, TouchesNoDataDirectoryThatIsNotEmpty) {
    EmptySite here("plain-bz2");
    const auto precious = here.write_local("precious", "x");
    EXPECT_EQ(exit_code_of(restore(here.site).error()), ExitCode::path_not_empty);
    (void)here.write_local("postmaster.pid", "1\n");
    EXPECT_EQ(exit_code_of(restore(here.site).error()), ExitCode::pg_running);
    EXPECT_EQ(io::read_file(precious), "x");
}

TEST(Restore, ASetThatIsNotThereIsNamed) {
    EmptySite here("plain-bz2");
    here.site.options.restore.set = "20200101-000000F";
    const auto refused = restore(here.site);
    ASSERT_FALSE(refused);
    EXPECT_EQ(exit_code_of(refused.error()), ExitCode::backup_set_invalid);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("20200101-000000F"));
}

TEST(Restore, PostgresqlFetchesWalAsTheCommandLineSaidWhereThingsAre) {
    Options options{.words_to_repeat = {"--config=/etc/a b.conf", "--stanza=main"}};
    EXPECT_EQ(restore_command(options, "/usr/bin/howdah"),
              R"(/usr/bin/howdah archive-get '--config=/etc/a b.conf' --stanza=main %f "%p")");
    options.words_to_repeat = {R"(--config=/a"$b'c%p.conf)"};
    EXPECT_EQ(restore_command(options, "/usr/bin/howdah"),
              R"(/usr/bin/howdah archive-get '--config=/a"$b'\''c%%p.conf' %f "%p")");
    options.restore.command = "/usr/bin/pgbackrest";
    EXPECT_THAT(restore_command(options, "/usr/bin/howdah"),
                testing::StartsWith("/usr/bin/pgbackrest archive-get"));
}

}  // namespace
}  // namespace howdah::backup
