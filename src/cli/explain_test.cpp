#include "cli/explain.h"

#include <gtest/gtest.h>

namespace howdah::cli {
namespace {

TEST(Explain, TellsRuleReasonAndWhatIsInTheWay) {
    EXPECT_EQ(
        render_explanations({{.name = "n1", .role = "primary", .rule = "lead", .why = "it leads"},
                             {.name = "n2",
                              .role = "replica",
                              .rule = "stay_out",
                              .why = "it is tagged",
                              .obstacles = {"its tag nofailover is set", "n1 holds epoch 1"}},
                             {.name = "n3", .error = "connection refused"}}),
        "n1 is primary: it leads (rule lead)\n"
        "\n"
        "n2 is replica: it is tagged (rule stay_out)\n"
        "  to become primary:\n"
        "    - its tag nofailover is set\n"
        "    - n1 holds epoch 1\n"
        "\n"
        "n3: no answer from its agent: connection refused\n");
}

}  // namespace
}  // namespace howdah::cli
