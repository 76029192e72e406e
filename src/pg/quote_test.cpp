#include "pg/quote.h"

#include <gtest/gtest.h>

namespace howdah::pg {
namespace {

TEST(Quote, NothingInATextEndsIt) {
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    EXPECT_EQ(quote_literal(R"(a\'b)"), R"( E'a\\''b')");
    EXPECT_EQ(quote_identifier(R"(a "b")"), R"("a ""b""")");
}

TEST(Quote, CommandWordsSurvivePostgresqlAndTheShell) {
    EXPECT_EQ(quote_command_word("--stanza=main"), "--stanza=main");
    EXPECT_EQ(quote_command_word("it's 100%"), "'it'\\''s 100%%'");
    EXPECT_EQ(quote_command_word(""), "''");
}

TEST(Quote, PathAndNameArePutIntoACommandAsByPostgresql) {
    EXPECT_EQ(fill_command("cp \"%p\" /a/%f && date +%%s", "pg_wal/1", "1"),
              "cp \"pg_wal/1\" /a/1 && date +%s");
    EXPECT_EQ(fill_command("echo %x %", "p", "f"), "echo %x %");
}

}  // namespace
}  // namespace howdah::pg
