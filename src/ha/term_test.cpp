#include "ha/term.h"

#include <gtest/gtest.h>

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

Instant at(Millis t) {
    return Instant{t};
}

Record a_record(Epoch epoch = 1, std::uint64_t seq = 1) {
    return Record{.epoch = epoch,
                  .holder = "a",
                  .holder_name = "pgvm1",
                  .incarnation = "i1",
                  .seq = seq,
                  .ttl = 5s};
}

AttachedLease a_lease(Instant granted, std::int64_t id = 7) {
    return {.id = id, .ttl = 30s, .granted = granted};
}

Sighting seen(const Record& record, std::int64_t revision, std::int64_t lease = 7) {
    return Sighting{.revision = revision,
                    .value = render(record),
                    .leader_revision = revision,
                    .leader = record.holder_name,
                    .leader_lease = lease,
                    .record = record};
}

struct TermTest : testing::Test {
    /// Claimed at 100 s, answered.
    Term held() {
        Term term(Sighting{}, LeaseTimes{});
        const auto claim = term.prepare(a_record(), a_lease(at(100s)), at(100s));
        term.answered(claim, Committed{.revision = 10});
        return term;
    }
};

TEST_F(TermTest, RecordDeletedAloneIsNoEndOfTheTerm) {
    auto term = held();
    const auto attempt = term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    auto left = seen(a_record(), 10);
    left.revision = 0;
    left.value.clear();
    left.record.reset();
    term.answered(attempt, Refused{.found = left, .received = at(101s)});
    EXPECT_EQ(term.state(), Term::State::held) << term.why_over();
    EXPECT_TRUE(term.store_went_back());
    left.leader_lease = 99;
    term.answered(attempt, Refused{.found = left, .received = at(101s)});
    EXPECT_EQ(term.state(), Term::State::over) << "the key is somebody else's";
}

TEST_F(TermTest, DeadlineCountsFromSendingNotFromTheAnswer) {
    EXPECT_EQ(held().tenure()->deadline, at(105s));
}

TEST_F(TermTest, UnansweredAttemptExtendsNothing) {
    auto term = held();
    (void)term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    EXPECT_EQ(term.tenure()->deadline, at(105s));
    EXPECT_EQ(term.unresolved().size(), 1U);
}

TEST_F(TermTest, ChangeWithoutAnAnswerMayHaveCommitted) {
    auto term = held();
    (void)term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    EXPECT_FALSE(term.tenure()->change_unresolved) << "a renewal changes nothing";
    auto more = a_record(1, 3);
    more.sync = {.mode = SyncMode::on, .voters = {{.uuid = "b", .name = "pgvm2"}}, .copies = 1};
    const auto change = term.prepare(more, a_lease(at(100s)), at(102s));
    EXPECT_TRUE(term.tenure()->change_unresolved);
    term.answered(change, Committed{.revision = 12});
    EXPECT_FALSE(term.tenure()->change_unresolved);
}

TEST_F(TermTest, MayBePrimaryFromTheFirstUnansweredAttemptThatSaysSo) {
    auto term = held();
    auto open = a_record(1, 2);
    open.state = RecordState::primary;
    const auto change = term.prepare(open, a_lease(at(100s)), at(101s));
    EXPECT_TRUE(term.tenure()->may_be_primary);
    term.answered(change, Committed{.revision = 12});
    EXPECT_FALSE(term.tenure()->may_be_primary) << "now the record says it";
}

TEST_F(TermTest, AdoptsItsOwnUnseenCommitFromTheEarliestSending) {
    auto term = held();
    const auto first = term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    const auto second = term.prepare(a_record(1, 3), a_lease(at(100s)), at(102s));
    term.answered(second, Refused{.found = seen(first.record, 11)});
    EXPECT_EQ(term.tenure()->deadline, at(106s));
    EXPECT_TRUE(term.unresolved().empty());
    EXPECT_EQ(term.prepare(a_record(1, 4), a_lease(at(100s)), at(103s)).over.revision, 11);
}

TEST_F(TermTest, SameValueUnderAnotherLeaseIsNotItsOwnCommit) {
    auto term = held();
    const auto first = term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    term.answered(first, Refused{.found = seen(first.record, 11, 8)});
    EXPECT_EQ(term.tenure()->deadline, at(105s));
}

TEST_F(TermTest, LeaseOfTheLeaderKeyBoundsTheDeadline) {
    auto term = held();
    const auto late = term.prepare(a_record(1, 2), a_lease(at(100s)), at(128s));
    term.answered(late, Committed{.revision = 11});
    EXPECT_LT(term.tenure()->deadline, at(130s));
    EXPECT_GT(term.tenure()->deadline, at(129s));
}

TEST_F(TermTest, DeadlineNeverGoesBack) {
    auto term = held();
    const auto late = term.prepare(a_record(1, 2), a_lease(at(50s)), at(99s));
    term.answered(late, Committed{.revision = 11});
    EXPECT_EQ(term.tenure()->deadline, at(105s));
}

TEST_F(TermTest, VanishedLeaderKeyLeavesTheTermAndTheNextAttemptExpectsItBare) {
    auto term = held();
    const auto attempt = term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    auto found = seen(a_record(), 10);
    found.leader_revision = 0;
    found.leader_lease = 0;
    term.answered(attempt, Refused{.found = found});
    EXPECT_EQ(term.state(), Term::State::held);
    EXPECT_TRUE(term.prepare(a_record(1, 3), a_lease(at(101s)), at(102s)).over.bare());
}

TEST_F(TermTest, GreaterEpochEndsIt) {
    auto term = held();
    const auto attempt = term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    term.answered(attempt, Refused{.found = seen(a_record(2), 12)});
    EXPECT_EQ(term.state(), Term::State::over);
    EXPECT_FALSE(term.tenure());
}

TEST_F(TermTest, SameEpochOfAnotherIncarnationEndsIt) {
    auto term = held();
    auto other = a_record();
    other.incarnation = "i2";
    const auto attempt = term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    term.answered(attempt, Refused{.found = seen(other, 12)});
    EXPECT_EQ(term.state(), Term::State::over);
}

TEST_F(TermTest, ForeignRecordEndsIt) {
    auto term = held();
    const auto attempt = term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    auto found = seen(a_record(), 10);
    found.leader_revision = 11;
    term.answered(attempt, Refused{.found = found});
    EXPECT_EQ(term.state(), Term::State::over);
}

TEST_F(TermTest, StoreThatWentBackIsNoAnswer) {
    auto term = held();
    const auto attempt = term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    term.answered(attempt, Refused{.found = Sighting{}});
    EXPECT_EQ(term.state(), Term::State::held);
    EXPECT_EQ(term.tenure()->deadline, at(105s));
}

TEST_F(TermTest, StoreThatWentBackWithinTheTermIsToldAnewWhatItForgot) {
    auto term = held();
    auto primary = a_record(1, 2);
    primary.state = RecordState::primary;
    term.answered(term.prepare(primary, a_lease(at(100s)), at(101s)), Committed{.revision = 11});
    const auto attempt = term.prepare(a_record(1, 3), a_lease(at(100s)), at(102s));
    term.answered(attempt, Refused{.found = seen(a_record(), 10)});
    ASSERT_EQ(term.state(), Term::State::held);
    EXPECT_EQ(term.tenure()->deadline, at(106s));
    EXPECT_EQ(term.tenure()->record.state, RecordState::primary);
    EXPECT_EQ(term.tenure()->record.seq, 2U);
    EXPECT_EQ(term.version().revision, 10);
}

TEST_F(TermTest, ClaimThatLostTheRaceIsOver) {
    Term term(Sighting{}, LeaseTimes{});
    const auto claim = term.prepare(a_record(), a_lease(at(100s)), at(100s));
    auto other = a_record();
    other.incarnation = "i2";
    term.answered(claim, Refused{.found = seen(other, 3, 9)});
    EXPECT_EQ(term.state(), Term::State::over);
}

TEST_F(TermTest, UnansweredClaimSentAgainCountsFromItsFirstSending) {
    Term term(Sighting{}, LeaseTimes{});
    (void)term.prepare(a_record(), a_lease(at(100s)), at(100s));
    const auto again = term.again(at(103s));
    term.answered(again, Committed{.revision = 10});
    EXPECT_EQ(term.tenure()->deadline, at(105s));
}

TEST_F(TermTest, NothingRevivesATermThatEnded) {
    auto term = held();
    const auto renewal = term.prepare(a_record(1, 2), a_lease(at(100s)), at(101s));
    term.end("released");
    term.answered(renewal, Committed{.revision = 11});
    EXPECT_FALSE(term.tenure());
    EXPECT_EQ(term.state(), Term::State::over);
}

PromiseRound a_round(const Term& term, Instant sent) {
    const auto tenure = *term.tenure();
    PromiseRound round({.epoch = tenure.epoch, .incarnation = "i1", .round = 1, .ttl = 5s},
                       term.promisers(), sent);
    for (const auto& uuid : term.promisers()) {
        round.take({.uuid = uuid,
                    .promised = true,
                    .epoch = tenure.epoch,
                    .incarnation = "i1",
                    .round = 1});
    }
    return round;
}

/// As held(), but the primary of a set of three.
Term leading() {
    Term term(Sighting{}, LeaseTimes{});
    auto record = a_record();
    record.state = RecordState::primary;
    record.claimers = {"a", "b", "c"};
    term.answered(term.prepare(record, a_lease(at(100s)), at(100s)), Committed{.revision = 10});
    return term;
}

TEST_F(TermTest, PromisesOfAllExtendItFromTheSendingOfTheirRound) {
    auto term = leading();
    term.promised(a_round(term, at(103s)), at(104s));
    EXPECT_EQ(term.tenure()->deadline, at(108s));
}

TEST_F(TermTest, PromisesThatArriveAfterTheDeadlineCountForNothing) {
    auto term = leading();
    term.promised(a_round(term, at(104s)), at(105s));
    EXPECT_EQ(term.tenure()->deadline, at(105s));
}

TEST_F(TermTest, PromisesDoNotReviveATermThatWasGivenUp) {
    auto term = leading();
    const auto round = a_round(term, at(103s));
    term.end("gave it up as handover");
    term.promised(round, at(104s));
    EXPECT_FALSE(term.tenure());
}

TEST_F(TermTest, PromisesDoNotExtendATermThatIsNotPrimary) {
    auto term = held();
    term.promised(a_round(term, at(103s)), at(104s));
    EXPECT_EQ(term.tenure()->deadline, at(105s));
}

TEST_F(TermTest, WhoHasToPromiseIsTheUnionOverAttemptsThatMayHaveCommitted) {
    auto term = leading();
    auto next = term.tenure()->record;
    next.claimers = {"a", "b", "d"};
    next.seq = 2;
    (void)term.prepare(next, a_lease(at(100s)), at(101s));
    EXPECT_EQ(term.promisers(), (std::vector<Uuid>{"b", "c", "d"}));
}

TEST_F(TermTest, OnPromisesItWritesItsRecordOverThatOfAStoreThatWentBack) {
    auto term = leading();
    auto next = term.tenure()->record;
    next.seq = 2;
    const auto attempt = term.prepare(next, a_lease(at(100s)), at(101s));
    const auto older = seen(a_record(0), 3);
    term.answered(attempt, Refused{.found = older, .received = at(102s)});
    EXPECT_EQ(term.version().revision, 10);
    term.promised(a_round(term, at(101s)), at(103s));
    EXPECT_EQ(term.version().revision, 10) << "the round began before";
    term.promised(a_round(term, at(103s)), at(104s));
    EXPECT_EQ(term.version().revision, 3);
}

}  // namespace
}  // namespace howdah::ha
