#include "pg/lsn.h"

#include <gtest/gtest.h>

namespace howdah::pg {
namespace {

TEST(Lsn, TextSurvivesARoundTrip) {
    for (const auto* text : {"0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF", "0/3000060"}) {
        EXPECT_EQ(Lsn::parse(text).value().text(), text);
    }
}

TEST(Lsn, RefusesWhatIsNotTwoHexadecimalNumbers) {
    for (const auto* text :
         {"", "/", "1/", "/1", "1", "g/1", "1/2/3", "123456789/0", "-1/0", " 1/0"}) {
        EXPECT_EQ(Lsn::parse(text).error().code, Errc::invalid) << text;
    }
}

}  // namespace
}  // namespace howdah::pg
