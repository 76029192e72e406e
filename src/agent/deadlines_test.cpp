#include <gtest/gtest.h>

#include "agent/ports.h"

namespace howdah::agent {
namespace {

class Page final : public Deadlines {
public:
    explicit Page(Instant left_by_an_earlier_run = {}) : shown_(left_by_an_earlier_run) {}

private:
    void write(Instant kill_at) override { shown_ = kill_at; }
    Instant read() const override { return shown_; }
    Instant shown_{};
};

constexpr Instant soon{Seconds(100)};
constexpr Instant later{Seconds(105)};

TEST(Deadlines, AStandbyThatMerelyClaimsHasNothingToBeKilledFor) {
    Page page;
    page.arm(soon);
    EXPECT_TRUE(page.armed().never());
    page.guard();
    EXPECT_EQ(page.armed(), soon);
    page.arm(later);
    EXPECT_EQ(page.armed(), later);
}

TEST(Deadlines, WhatIsProvenNotToBeWritableIsKilledNoMore) {
    Page page;
    page.arm(soon);
    page.guard();
    page.release();
    EXPECT_TRUE(page.armed().never());
    page.arm(later);  // the next claim
    EXPECT_TRUE(page.armed().never());
    page.guard();
    EXPECT_EQ(page.armed(), later);
}

TEST(Deadlines, ThePageOfAnEarlierRunMovesWithTheTermThatTakesOver) {
    Page page(soon);
    EXPECT_EQ(page.armed(), soon);
    page.guard();
    EXPECT_EQ(page.armed(), soon) << "no term yet: the old deadline stands";
    page.arm(later);
    EXPECT_EQ(page.armed(), later);
}

}  // namespace
}  // namespace howdah::agent
