#include "pg/quote.h"

#include <gtest/gtest.h>

namespace howdah::pg {
namespace {

TEST(Quote, NothingInATextEndsIt) {
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    EXPECT_EQ(quote_literal(R"(a\'b)"), R"( E'a\\''b')");
    EXPECT_EQ(quote_identifier(R"(a "b")"), R"("a ""b""")");
}

}  // namespace
}  // namespace howdah::pg
