#include "backup/host/host_options.h"

#include <gtest/gtest.h>

namespace howdah::backup {
namespace {

Options read(const std::string& own, const std::string& of_host) {
    const auto read = read_options({.words = {"--stanza=main", "backup"},
                                    .files = {{.file = "own", .text = own}},
                                    .hosts = {{.file = "host", .text = of_host}}});
    EXPECT_TRUE(read) << read.error().message;
    return read.value_or(Options{});
}

TEST(HostOptions, ClientsReadThemAsTheyStandOnTheHost) {
    const auto on_host = read(
        "[global]\nrepo1-path=/x\nrepo2-path=/y\nrepo2-cipher-type=aes-256-cbc\n"
        "repo2-cipher-pass=secret = one\nrepo2-retention-full=2\nrepo2-retention-diff=3\n"
        "repo2-retention-full-type=time\nrepo2-retention-archive=4\nrepo2-retention-archive-type="
        "incr\nrepo2-retention-history=5\nrepo2-bundle=y\nrepo2-block=y\nrepo2-bundle-size=1MiB\n",
        "");
    auto expected = on_host.repositories.at(1);
    expected.host.name = "pgvm6";
    expected.path = "/var/lib/pgbackrest";
    const auto client =
        read("[global]\nrepo2-host=pgvm6\n", options_for_clients(on_host.repositories.at(1)));
    EXPECT_EQ(client.repositories.front(), expected);
    EXPECT_EQ(client.given, (std::vector<std::string>{"--repo2-host=pgvm6", "--stanza=main"}))
        << "the log's line tells what stands here, and no secret";
}

TEST(HostOptions, WhatAClientSaysItselfCounts) {
    const auto on_host =
        read("[global]\nrepo1-path=/x\nrepo1-retention-full=2\nrepo1-bundle=y\n", "");
    const auto client = read("[global]\nrepo1-host=pgvm6\nrepo1-retention-full=9\nrepo1-bundle=n\n",
                             options_for_clients(on_host.repositories.front()));
    EXPECT_EQ(client.repositories.front().retention.full, 9U);
    EXPECT_FALSE(client.repositories.front().bundle);
}

}  // namespace
}  // namespace howdah::backup
