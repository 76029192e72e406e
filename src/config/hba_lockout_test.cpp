#include "config/hba_lockout.h"

#include <gtest/gtest.h>

namespace howdah::config {
namespace {

using Lines = std::vector<std::string>;

Postgresql own(const std::string& listen = "10.0.0.1", bool socket = false) {
    return {.listen_addresses = listen,
            .superuser = {.username = "postgres"},
            .replication = {.username = "rep"},
            .use_unix_socket = socket};
}

const std::vector<HbaPeer> peers{{.name = "n2", .addresses = {"10.0.0.2"}},
                                 {.name = "n3", .addresses = {"10.0.0.3", "192.168.7.3"}}};

std::string told(const Lines& lines, const Postgresql& pg = own(),
                 const std::vector<HbaPeer>& from = peers) {
    return lockout(lines, pg, from).value_or("");
}

TEST(HbaLockout, NamesTheFirstLoginThatFailsAndALineThatWouldDo) {
    EXPECT_EQ(told({"host app app all md5"}),
              "it locks out the superuser postgres from 10.0.0.1: no line lets it in; one that "
              "would: host postgres postgres 10.0.0.1/32 scram-sha-256");
    EXPECT_EQ(told({"host postgres all 10.0.0.0/24 md5", "host replication rep 10.0.0.2/32 md5",
                    "host replication all all reject"}),
              "it locks out the user rep for replication, from n3: line \"host replication all all "
              "reject\" rejects it; one that would: host replication rep 10.0.0.3/32 "
              "scram-sha-256");
    EXPECT_EQ(told({"local all app md5"}, own("10.0.0.1", true), {}),
              "it locks out the superuser postgres through the Unix socket: no line lets it in; "
              "one that would: local postgres postgres scram-sha-256");
    EXPECT_EQ(told({"host all postgres 10.0.0.1/32 md5", "host replication rep all md5"}),
              "it locks out the superuser postgres on n2: no line lets it in; one that would: host "
              "postgres postgres samehost scram-sha-256");
    auto pg = own();
    pg.rewind = Credentials{.username = "Rewind"};
    EXPECT_EQ(told({"host all postgres all md5", "host replication rep all md5"}, pg),
              "it locks out the user Rewind for pg_rewind, from n2: no line lets it in; one that "
              "would: host postgres \"Rewind\" 10.0.0.2/32 scram-sha-256");
}

TEST(HbaLockout, PassesWhatLetsThemIn) {
    const std::vector<Lines> cases{
        {},  // not managed
        {"host all all 10.0.0.0/24 md5", "host replication rep 10.0.0.0/24 md5"},
        // n3 streams from another address than its conn_url has.
        {"host all postgres samehost md5", "host replication rep 10.0.0.2/32 md5",
         "host replication rep 192.168.0.0/16 md5"},
    };
    for (const auto& lines : cases) {
        EXPECT_EQ(told(lines), "") << lines.size();
    }
}

TEST(HbaLockout, PassesWhatIsNotCertain) {
    const Lines replication{"host replication all all md5"};
    for (const auto* line : {"host all all samehost md5", "host all +dba all md5",
                             "host all @users all md5", "host all postgres db1.example md5",
                             "hostssl all postgres all md5", "include more.conf"}) {
        auto lines = replication;
        lines.insert(lines.begin(), line);
        EXPECT_EQ(told(lines), "") << line;
    }
    EXPECT_EQ(told({"host all postgres all md5", "host replication rep 10.9.9.9/32 md5"}, own(),
                   {{.name = "n2", .addresses = {"pg2.example"}}, {.name = "n3"}}),
              "");
    EXPECT_NE(told({"host all postgres all md5"}, own(), {{.name = "n3"}}), "");
}

TEST(HbaLockout, OnTheLoopbackAnyOfItsAddressesMayBeSeen) {
    const std::vector<HbaPeer> near{{.name = "n2", .addresses = {"127.0.0.12"}}};
    EXPECT_EQ(told({"host all all 127.0.0.1/32 md5", "host replication rep 127.0.0.1/32 md5"},
                   own("127.0.0.11"), near),
              "");
    EXPECT_EQ(told({"host all all ::1/128 md5", "host replication all all md5"}, own("*"), near),
              "");
    EXPECT_NE(told({"host all all 10.0.0.0/8 md5", "host replication all all md5"}, own("*"), near),
              "");
}

}  // namespace
}  // namespace howdah::config
