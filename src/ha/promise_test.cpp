#include "ha/promise.h"

#include <gtest/gtest.h>

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

TEST(Promise, SurvivesItsWayOverTheWire) {
    EXPECT_EQ(*parse_promise_request(render(a_request())), a_request());
    EXPECT_EQ(*parse_promise_answer(render(yes("a"))), yes("a"));
    EXPECT_FALSE(parse_promise_request("{}"));
    EXPECT_FALSE(parse_promise_answer("3"));
}

}  // namespace
}  // namespace howdah::ha
