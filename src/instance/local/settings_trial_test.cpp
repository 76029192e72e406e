#include "instance/local/settings_trial.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "instance/local/local_fixture_for_test.h"
#include "instance/local/pg_process.h"

namespace howdah::instance {
namespace {

class SettingsTrialTest : public LocalFixture {
public:
    io::Task<> refuses(config::Parameters settings, std::vector<std::string> expected);
    io::Task<> body();
    io::Task<> starts_without_them();
    io::Task<> starts_as_it_last_did();
};

io::Task<> SettingsTrialTest::refuses(config::Parameters settings,
                                      std::vector<std::string> expected) {
    const auto bin_dir = find_bin_dir("", 0).value();
    const auto folder = root_ + "/trial";
    const auto refused = co_await refused_by_postgres(clock_, bin_dir, folder, std::move(settings));
    EXPECT_TRUE(refused) << refused.error().message;
    std::vector<std::string> names;
    for (const auto& one : *refused) {
        names.push_back(one.name);
        EXPECT_NE(one.why.find('"' + one.name + '"'), std::string::npos) << one.why;
    }
    EXPECT_EQ(names, expected);
    EXPECT_FALSE(std::filesystem::exists(folder));
}

io::Task<> SettingsTrialTest::body() {
    co_await refuses(
        {{"work_mem", "4MB"}, {"pg_stat_statements.max", "7"}, {"log_destination", "stderr"}}, {});
    co_await refuses(
        {{"work_mem", "4MB"},
         {"nonsense", "7"},
         {"shared_buffers", "banana"},
         {"max_wal_size", "1_024"},
         {"unix_socket_permissions", "770"},
         {"wal_level", "some"},
         {"search_path", "a'b\\c"}},
        {"max_wal_size", "nonsense", "shared_buffers", "unix_socket_permissions", "wal_level"});
}

TEST_F(SettingsTrialTest, NamesWhatPostgresWouldNotStartWith) {
    run(&SettingsTrialTest::body);
}

io::Task<> SettingsTrialTest::starts_without_them() {
    auto* a = co_await make("a", "127.0.66.1");
    if (!co_await make_primary(a)) {
        co_return;
    }
    auto settings = a->settings();
    settings.parameters["nonsense"] = "7";
    settings.parameters["work_mem"] = "9MB";
    settings.controlled["max_connections"] = settings.parameters["max_connections"] = "9999999";
    check(co_await a->pg.configure(settings), "configure");
    const auto told = (co_await a->pg.observe(1s)).settings_refused;
    EXPECT_NE(told.find("nonsense = 7"), std::string::npos) << told;
    co_await becomes(a, "has read the rest", [](const Local& l) { return l.accepting; });
    EXPECT_TRUE(co_await job(a, a->pg.stop(StopMode::fast), "stop"));
    EXPECT_TRUE(co_await job(a, a->pg.start(StartAs::primary, std::nullopt), "start"));
    co_await expect_sql(a, "SHOW work_mem", "9MB");
    co_await expect_sql(a, "SHOW max_connections", "100");
    settings.parameters.erase("nonsense");
    settings.controlled["max_connections"] = settings.parameters["max_connections"] = "100";
    check(co_await a->pg.configure(settings), "configure");
    EXPECT_EQ((co_await a->pg.observe(1s)).settings_refused, "");
}

io::Task<> SettingsTrialTest::starts_as_it_last_did() {
    auto* a = co_await make("a", "127.0.66.2");
    if (!co_await make_primary(a)) {
        co_return;
    }
    // Only a start finds these.
    auto settings = a->settings();
    settings.parameters["ssl"] = "on";
    settings.parameters["ssl_cert_file"] = "/none/server.crt";
    settings.parameters["max_wal_size"] = "2MB";
    settings.pg_hba = {"hostt all all 0.0.0.0/0 trust"};
    check(co_await a->pg.configure(settings), "configure");
    EXPECT_TRUE(co_await job(a, a->pg.stop(StopMode::fast), "stop"));
    EXPECT_TRUE(co_await job(a, a->pg.start(StartAs::primary, std::nullopt), "start"));
    co_await expect_sql(a, "SHOW ssl", "off");
    const auto told = (co_await a->pg.observe(1s)).settings_refused;
    EXPECT_EQ(told.find("max_wal_size, pg_hba, ssl, ssl_cert_file (PostgreSQL did not start"), 0U)
        << told;
    check(co_await a->pg.configure(settings), "the same again");
    EXPECT_TRUE(co_await job(a, a->pg.stop(StopMode::fast), "stop"));
    EXPECT_TRUE(co_await job(a, a->pg.start(StartAs::primary, std::nullopt), "start"));
    settings.parameters.erase("ssl");
    settings.parameters.erase("max_wal_size");
    settings.parameters["work_mem"] = "9MB";
    settings.pg_hba = a->settings().pg_hba;
    check(co_await a->pg.configure(settings), "mended");
    EXPECT_EQ((co_await a->pg.observe(1s)).settings_refused, "");
    co_await becomes(a, "has read them", [](const Local& l) { return l.accepting; });
    EXPECT_TRUE(co_await job(a, a->pg.stop(StopMode::fast), "stop"));
    EXPECT_TRUE(co_await job(a, a->pg.start(StartAs::primary, std::nullopt), "start"));
    co_await expect_sql(a, "SHOW work_mem", "9MB");
}

TEST_F(SettingsTrialTest, PostgresStartsAsItLastDid) {
    run(&SettingsTrialTest::starts_as_it_last_did);
}

TEST_F(SettingsTrialTest, PostgresStartsWithoutThem) {
    run(&SettingsTrialTest::starts_without_them);
}

}  // namespace
}  // namespace howdah::instance
