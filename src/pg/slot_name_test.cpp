#include "pg/slot_name.h"

#include <gtest/gtest.h>

namespace howdah::pg {
namespace {

TEST(SlotName, FollowsTheMember) {
    EXPECT_EQ(slot_name("pgvm1"), "pgvm1");
    EXPECT_EQ(slot_name("Node-1.example"), "node_1_example");
    EXPECT_EQ(slot_name("a b"), "au0032b");
    EXPECT_EQ(slot_name(std::string(70, 'x')).size(), 63U);
}

}  // namespace
}  // namespace howdah::pg
