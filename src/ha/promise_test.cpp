#include "ha/promise.h"

#include <gtest/gtest.h>

#include "ha/vote.h"

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

PromiseRequest a_request() {
    return {.epoch = 4,
            .incarnation = "ib",
            .holder = "b",
            .holder_name = "pgvm2",
            .round = 7,
            .set = {"a", "b", "c"},
            .set_version = 2,
            .ttl = 5s};
}

Promiser a_member() {
    Record record{.epoch = 4, .holder = "b", .incarnation = "ib", .state = RecordState::primary};
    return {.stored_epoch = 3, .stored_incarnation = "ix", .record = record};
}

PromiseAnswer yes(const Uuid& uuid) {
    return {
        .uuid = uuid, .name = uuid, .promised = true, .epoch = 4, .incarnation = "ib", .round = 7};
}

TEST(Promise, IsGivenToTheHolderThatTheRecordShows) {
    EXPECT_EQ(objection(a_request(), a_member()), "");
}

TEST(Promise, IsRefusedByWhoMayHold) {
    auto member = a_member();
    member.may_hold = true;
    EXPECT_NE(objection(a_request(), member), "");
}

TEST(Promise, IsRefusedWhenALaterEpochIsKnown) {
    auto stored = a_member();
    stored.stored_epoch = 5;
    EXPECT_NE(objection(a_request(), stored), "");
    auto seen = a_member();
    seen.record->epoch = 5;
    EXPECT_NE(objection(a_request(), seen), "");
}

TEST(Promise, IsRefusedToAnotherIncarnationOfTheEpoch) {
    auto stored = a_member();
    stored.stored_epoch = 4;
    EXPECT_NE(objection(a_request(), stored), "");
    auto seen = a_member();
    seen.record->incarnation = "iz";
    EXPECT_NE(objection(a_request(), seen), "");
}

TEST(Promise, IsRefusedForAnEpochThatWasGivenUp) {
    for (const auto state : {RecordState::released, RecordState::handover}) {
        auto member = a_member();
        member.record->state = state;
        EXPECT_NE(objection(a_request(), member), "");
    }
}

TEST(Promise, StandsForTheLongerOfTheTwoTimes) {
    const Instant now{100s};
    LeaseTimes known{};
    known.ttl = 2s;
    EXPECT_EQ(promised_until(now, a_request(), known), now + LeaseTimes{}.candidate_wait());
    known.ttl = 20s;
    EXPECT_EQ(promised_until(now, a_request(), known), now + known.candidate_wait());
}

TEST(PromiseRound, IsCompleteWhenEverybodySaidYes) {
    PromiseRound round(a_request(), {"a", "c"}, Instant{100s});
    round.take(yes("a"));
    EXPECT_FALSE(round.complete()) << "a majority is not enough";
    round.take(yes("c"));
    EXPECT_TRUE(round.complete());
}

TEST(PromiseRound, OneRefusalEndsIt) {
    PromiseRound round(a_request(), {"a", "c"}, Instant{100s});
    round.take(yes("a"));
    auto no = yes("c");
    no.promised = false;
    round.take(no);
    round.take(yes("c"));
    EXPECT_FALSE(round.complete());
    EXPECT_NE(round.why_not(), "");
}

TEST(PromiseRound, AnswersToAnotherRoundDoNotCount) {
    PromiseRound round(a_request(), {"a"}, Instant{100s});
    auto late = yes("a");
    late.round = 6;
    round.take(late);
    EXPECT_FALSE(round.complete());
    auto other = yes("a");
    other.incarnation = "iz";
    round.take(other);
    EXPECT_FALSE(round.complete());
}

TEST(PromiseRound, OfAHolderAloneIsCompleteAtOnce) {
    EXPECT_TRUE(PromiseRound(a_request(), {}, Instant{100s}).complete());
}

Record led_by_b() {
    return {.epoch = 4, .holder = "b", .incarnation = "ib", .claimers = {"a", "b", "c"}};
}
Vouch vouch(const Uuid& uuid, Millis remaining) {
    return {.uuid = uuid,
            .holds = uuid == "b",
            .epoch = 4,
            .incarnation = "ib",
            .set = {"a", "c"},
            .remaining = remaining};
}

TEST(Vouch, NeedsTheHolderAndEveryMemberOfTheSet) {
    EXPECT_FALSE(vouched_for({vouch("b", 3s), vouch("a", 3s)}, led_by_b(), 0.01));
    EXPECT_FALSE(vouched_for({vouch("a", 3s), vouch("c", 3s)}, led_by_b(), 0.01));
    EXPECT_TRUE(vouched_for({vouch("a", 3s), vouch("b", 3s), vouch("c", 3s)}, led_by_b(), 0.01));
    auto wider = vouch("a", 3s);
    wider.set = {"a", "c", "d"};
    EXPECT_FALSE(vouched_for({wider, vouch("b", 3s), vouch("c", 3s)}, led_by_b(), 0.01));
}

TEST(Vouch, GivesTheLeastTimeThatIsLeftAndNotAFullT) {
    const auto time =
        vouched_for({vouch("a", 3s), vouch("b", 1030ms), vouch("c", 2s)}, led_by_b(), 0.01);
    ASSERT_TRUE(time);
    EXPECT_EQ(to_millis(*time), 1000ms);
}

TEST(Vouch, OfAnotherEpochOrIncarnationCountsForNothing) {
    auto other = vouch("c", 3s);
    other.incarnation = "iz";
    EXPECT_FALSE(vouched_for({vouch("a", 3s), vouch("b", 3s), other}, led_by_b(), 0.01));
    auto spent = vouch("c", 0s);
    EXPECT_FALSE(vouched_for({vouch("a", 3s), vouch("b", 3s), spent}, led_by_b(), 0.01));
}

TEST(Promise, IsRefusedForAnEpochThatNobodyCanHaveReached) {
    auto request = a_request();
    request.epoch = ~Epoch{0};
    EXPECT_NE(objection(request, a_member()), "");
    request.epoch = a_member().stored_epoch + (Epoch{1} << 32U) + 1;
    EXPECT_EQ(objection(request, a_member()), "")
        << "`dcs recover` without a missing member's word";
    EXPECT_FALSE(leaps_too_far(4, 9));
    EXPECT_TRUE(leaps_too_far(9 + longest_leap + 1, 9));
}

TEST(Promise, SurvivesItsWayOverTheWire) {
    EXPECT_EQ(*parse_promise_request(render(a_request())), a_request());
    EXPECT_EQ(*parse_promise_answer(render(yes("a"))), yes("a"));
    EXPECT_EQ(*parse_vouch(render(vouch("a", 3s))), vouch("a", 3s));
    EXPECT_FALSE(parse_vouch("{}"));
    EXPECT_FALSE(parse_promise_request("{}"));
    EXPECT_FALSE(parse_promise_answer("3"));
}

}  // namespace
}  // namespace howdah::ha
