#include "agent/lockout.h"

#include <gtest/gtest.h>

namespace howdah::agent {
namespace {

using Lines = std::vector<std::string>;

config::AgentConfig own() {
    config::AgentConfig c;
    c.name = "m1";
    c.postgresql.listen_addresses = "10.0.0.1";
    c.postgresql.superuser.username = "postgres";
    c.postgresql.replication.username = "rep";
    return c;
}

const std::vector<ha::Member> members{
    {.name = "m1", .conn_url = "postgres://10.0.0.1:5432/postgres"},
    {.name = "m2", .conn_url = "postgres://10.0.0.2:5432/postgres"},
};

TEST(Lockout, NamesWhoGetsInNoMore) {
    const Lines good{"host all all 10.0.0.0/8 md5", "host replication rep 10.0.0.0/8 md5"};
    EXPECT_EQ(locked_out(own(), members, {}, good), Lines());
    EXPECT_EQ(locked_out(own(), members, good, {}), Lines());
    EXPECT_EQ(locked_out(own(), members, good, {"host app app all md5"}),
              (Lines{"no line lets the superuser postgres on this host in",
                     "no line lets the replication user rep from m2 (10.0.0.2) in"}));
    EXPECT_EQ(locked_out(own(), members, good,
                         {"host all all all md5", "host replication all 10.0.0.2/32 reject"}),
              Lines{"line \"host replication all 10.0.0.2/32 reject\" rejects the replication user "
                    "rep from m2 (10.0.0.2)"});
}

/// Whoever is kept out today, as where the address is another one, must not stop other changes.
TEST(Lockout, OnlyWhatIsNewCounts) {
    EXPECT_EQ(locked_out(own(), members, {"host all all all md5"}, {"host all all all trust"}),
              Lines());
}

TEST(Lockout, KnowsTheSocketAndTheLoopback) {
    auto c = own();
    c.postgresql.use_unix_socket = true;
    EXPECT_EQ(locked_out(c, {}, {}, {"local all all peer"}), Lines());
    EXPECT_EQ(locked_out(c, {}, {}, {"host all all all md5"}).size(), 1U);
    c.postgresql.use_unix_socket = false;
    c.postgresql.listen_addresses = "*";
    EXPECT_EQ(locked_out(c, {}, {}, {"host all all ::1/128 md5"}), Lines());
    EXPECT_EQ(locked_out(c, {}, {}, {"host all all 10.0.0.0/8 md5"}).size(), 1U);
}

}  // namespace
}  // namespace howdah::agent
