#include "pg/timeline_history.h"

#include <gmock/gmock.h>

namespace howdah::pg {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TimelineHistory, IsReadAsPostgresqlReadsIt) {
    const auto rows = parse_history(
        "# of old\n\n1\t0/7000060\tno recovery target specified\n"
        "2\t1/A\tbefore 2026-12-01\n");
    ASSERT_TRUE(rows) << rows.error().message;
    EXPECT_THAT(*rows, ElementsAre(Branch{1, Lsn(0x7000060)}, Branch{2, Lsn(0x10000000A)}));
    EXPECT_THAT(*parse_history(""), IsEmpty());
    for (const auto* text : {"1", "1\t", "x\t0/7\tno", "1\t07\tno", "0\t0/7\tno", "10/7\tno",
                             "2\t0/7\tno\n1\t0/8\tno\n"}) {
        EXPECT_EQ(parse_history(text).error().code, Errc::corrupt) << text;
    }
}

}  // namespace
}  // namespace howdah::pg
