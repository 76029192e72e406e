#include "config/repo_config.h"

#include <gtest/gtest.h>

namespace howdah::config {
namespace {

TEST(RepoConfig, EveryKeyIsRead) {
    const auto config =
        parse_repo_config(
            "repo:\n  config: /etc/x.conf\n  listen: 10.0.0.6:9000\n"
            "  tls: {ca: /a, cert: /b, key: /c}\n"
            "  schedule: {incr: '0 1 * * *', full: '0 2 * * 0', restore-test: '0 3 1 * *'}\n",
            "repo.yml")
            .value();
    EXPECT_EQ(config.pgbackrest_config, "/etc/x.conf");
    EXPECT_EQ(config.listen, (HostPort{.host = "10.0.0.6", .port = 9000}));
    EXPECT_EQ(config.tls.ca, "/a");
    EXPECT_EQ(config.tls.cert, "/b");
    EXPECT_EQ(config.tls.key, "/c");
    ASSERT_EQ(config.schedule.size(), 3U);
    EXPECT_EQ(config.schedule[0].what, "full");
    EXPECT_EQ(config.schedule[1].when, "0 1 * * *");
}

TEST(RepoConfig, NothingButTheSectionIsNeeded) {
    const auto config = parse_repo_config("scope: main\nrepo: {listen: 10.0.0.6}\n", "f").value();
    EXPECT_EQ(config.listen, (HostPort{.host = "10.0.0.6", .port = 8432}));
    EXPECT_EQ(config.pgbackrest_config, "/etc/pgbackrest/pgbackrest.conf");
    EXPECT_EQ(config.tls.key, "/etc/howdah/tls/host.key");
}

TEST(RepoConfig, UnknownKeysAreNamed) {
    for (const auto& [text, key] : std::vector<std::pair<std::string, std::string>>{
             {"repo: {confg: /x}", "repo.confg"},
             {"repo: {tls: {certificate: /x}}", "repo.tls.certificate"},
             {"repo: {schedule: {fulll: '* * * * *'}}", "repo.schedule.fulll"},
             {"other: {}", "repo"}}) {
        const auto config = parse_repo_config(text + "\n", "repo.yml");
        ASSERT_FALSE(config) << text;
        EXPECT_TRUE(config.error().message.contains(key)) << config.error().message;
    }
}

}  // namespace
}  // namespace howdah::config
