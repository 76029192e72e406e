#include "proxy/route.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace howdah::proxy {
namespace {

using ha::RecordState;

Instant at(int ms) {
    return {Seconds(1000) + Millis(ms)};
}

ha::Record a_record(ha::Epoch epoch, std::uint64_t seq, RecordState state = RecordState::primary) {
    return {.epoch = epoch,
            .holder = "uuid" + std::to_string(epoch),
            .holder_name = "pgvm" + std::to_string(epoch),
            .incarnation = "run" + std::to_string(epoch),
            .seq = seq,
            .ttl = Millis(600),
            .state = state,
            .system_id = "7",
            .timeline = static_cast<pg::Timeline>(epoch)};
}

Seen seen(const ha::Record& record, std::int64_t revision) {
    return {.record = {.revision = revision,
                       .value = "x",
                       .leader_revision = revision,
                       .leader = record.holder_name,
                       .record = record},
            .store_revision = revision};
}

Seen bare(const ha::Record& record, std::int64_t revision) {
    auto s = seen(record, revision);
    s.record.leader_revision = 0;
    s.record.leader.clear();
    return s;
}

Seen foreign(const ha::Record& record, std::int64_t revision) {
    auto s = seen(record, revision);
    s.record.leader_revision = revision + 1;
    s.record.leader = "patroni1";
    s.store_revision = revision + 1;
    return s;
}

/// An attempt that is answered at once.
void attempt(RouteGate& gate, int sent, const Seen& what) {
    gate.answer(gate.begin_attempt(at(sent)), what);
}

/// Open to epoch 1 until at(600).
RouteGate an_open_gate() {
    RouteGate gate;
    attempt(gate, 0, seen(a_record(1, 1), 10));
    attempt(gate, 100, seen(a_record(1, 2), 11));
    return gate;
}

TEST(RouteGate, IsClosedBeforeAnythingIsKnown) {
    RouteGate gate;
    EXPECT_FALSE(gate.route(at(0)).open);
    EXPECT_EQ(gate.route(at(0)).why, "no record of a primary has been seen");
    EXPECT_EQ(gate.attempt_every(), Millis(833));
}

TEST(RouteGate, OneAttemptEstablishesNoDeadline) {
    RouteGate gate;
    attempt(gate, 0, seen(a_record(1, 1), 10));
    attempt(gate, 100, seen(a_record(1, 1), 10));
    EXPECT_FALSE(gate.route(at(100)).open);
    EXPECT_EQ(gate.route(at(100)).why, "epoch 1 of pgvm1 has not been seen to renew yet");
}

TEST(RouteGate, DeadlineCountsFromTheLastAttemptThatSawAnOlderSeq) {
    RouteGate gate;
    attempt(gate, 0, seen(a_record(1, 1), 10));
    attempt(gate, 100, seen(a_record(1, 1), 10));
    attempt(gate, 200, seen(a_record(1, 2), 11));
    const auto route = gate.route(at(200));
    EXPECT_TRUE(route.open);
    EXPECT_EQ(route.deadline, at(700));
    EXPECT_EQ(route.member, "uuid1");
    EXPECT_EQ(route.epoch, 1U);
    EXPECT_EQ(route.timeline, 1U);
    EXPECT_EQ(route.system_id, "7");
}

TEST(RouteGate, ReadsTheIntervalFromTheRecord) {
    EXPECT_EQ(an_open_gate().attempt_every(), Millis(200));
    EXPECT_EQ(an_open_gate().hedge_after(), Millis(60));
}

TEST(RouteGate, ClosesAtTheDeadlineOfAFrozenHolder) {
    auto gate = an_open_gate();
    for (int t = 200; t < 600; t += 100) {
        attempt(gate, t, seen(a_record(1, 2), 11));
        EXPECT_TRUE(gate.route(at(t)).open);
    }
    EXPECT_TRUE(gate.route(at(599)).open);
    EXPECT_FALSE(gate.route(at(600)).open);
    attempt(gate, 700, seen(a_record(1, 2), 11));
    EXPECT_FALSE(gate.route(at(700)).open);
    attempt(gate, 800, seen(a_record(1, 3), 12));
    EXPECT_EQ(gate.route(at(800)).deadline, at(1300))
        << "a holder that thaws inside its term goes on";
}

TEST(RouteGate, AfterAPauseOnlyWhatWasAskedSinceProvesTheRoute) {
    auto gate = an_open_gate();
    const auto late = gate.begin_attempt(at(150));
    gate.doubt(at(200));
    EXPECT_TRUE(gate.route(at(200)).open) << "sessions are kept";
    EXPECT_TRUE(gate.route(at(200)).doubted) << "and nothing moves on them";
    gate.answer(late, seen(a_record(1, 3), 12));
    EXPECT_TRUE(gate.route(at(200)).doubted) << "it was sent before";
    attempt(gate, 250, seen(a_record(1, 4), 13));
    EXPECT_TRUE(gate.route(at(250)).doubted) << "no attempt since saw an older one";
    attempt(gate, 350, seen(a_record(1, 5), 14));
    EXPECT_FALSE(gate.route(at(350)).doubted);
    EXPECT_EQ(gate.route(at(350)).deadline, at(850));
}

TEST(RouteGate, AfterABrokenConnectionOnlyWhatWasAskedSinceProvesTheEpoch) {
    auto gate = an_open_gate();
    const auto holder = gate.route(at(150)).member;
    gate.lost("another", 1, at(150));
    EXPECT_FALSE(gate.route(at(150)).doubted) << "nothing rests on it";
    gate.lost(holder, 1, at(200));
    EXPECT_TRUE(gate.route(at(200)).doubted);
    attempt(gate, 250, seen(a_record(1, 3), 12));
    EXPECT_TRUE(gate.route(at(250)).doubted) << "that renewal may be from before it broke";
    attempt(gate, 350, seen(a_record(1, 4), 13));
    EXPECT_FALSE(gate.route(at(350)).doubted);
    // Another epoch is another promise: nothing waits at a failover.
    gate.lost(holder, 1, at(400));
    attempt(gate, 410, seen(a_record(2, 1), 14));
    EXPECT_TRUE(gate.route(at(410)).open);
    EXPECT_FALSE(gate.route(at(410)).doubted);
}

TEST(RouteGate, ADoubtedRouteEndsAtItsDeadline) {
    auto gate = an_open_gate();
    gate.doubt(at(200));
    EXPECT_TRUE(gate.route(at(599)).open);
    EXPECT_FALSE(gate.route(at(600)).open);
}

TEST(RouteGate, AnUnansweredAttemptDoesNotCount) {
    RouteGate gate;
    attempt(gate, 0, seen(a_record(1, 1), 10));
    gate.begin_attempt(at(100));
    attempt(gate, 200, seen(a_record(1, 2), 11));
    EXPECT_EQ(gate.route(at(200)).deadline, at(600));
}

TEST(RouteGate, DropsAnswersOfOlderAttempts) {
    RouteGate gate;
    attempt(gate, 0, seen(a_record(1, 1), 10));
    const auto late = gate.begin_attempt(at(100));
    attempt(gate, 200, seen(a_record(1, 1), 10));
    gate.answer(late, seen(a_record(1, 2), 11));
    EXPECT_FALSE(gate.route(at(200)).open) << "the late answer was sent before one already used";
    attempt(gate, 300, seen(a_record(1, 2), 11));
    EXPECT_EQ(gate.route(at(300)).deadline, at(800));
}

TEST(RouteGate, ALateAnswerOfAnOlderAttemptStillCloses) {
    auto gate = an_open_gate();
    const auto late = gate.begin_attempt(at(150));
    attempt(gate, 200, seen(a_record(1, 2), 11));
    gate.answer(late, seen(a_record(2, 1, RecordState::claimed), 12));
    EXPECT_FALSE(gate.route(at(210)).open);
}

TEST(RouteGate, AnAnswerCountsOnce) {
    RouteGate gate;
    attempt(gate, 0, seen(a_record(1, 1), 10));
    const auto second = gate.begin_attempt(at(100));
    gate.answer(second, seen(a_record(1, 1), 10));
    gate.answer(second, seen(a_record(1, 2), 11));
    EXPECT_FALSE(gate.route(at(100)).open);
    gate.answer(999, seen(a_record(1, 3), 12));
    EXPECT_FALSE(gate.route(at(100)).open);
}

TEST(RouteGate, AHintNeverExtendsNorOpens) {
    RouteGate gate;
    gate.hint(seen(a_record(1, 1), 10));
    gate.hint(seen(a_record(1, 2), 11));
    EXPECT_FALSE(gate.route(at(0)).open);
    auto open = an_open_gate();
    open.hint(seen(a_record(1, 3), 12));
    EXPECT_EQ(open.route(at(200)).deadline, at(600));
}

TEST(RouteGate, AHintBeforeTheAttemptDoesNotUseUpTheFirstSight) {
    auto gate = an_open_gate();
    gate.hint(seen(a_record(1, 3), 12));
    attempt(gate, 200, seen(a_record(1, 3), 12));
    EXPECT_EQ(gate.route(at(200)).deadline, at(700));
}

TEST(RouteGate, AnyOtherStateClosesAtOnce) {
    for (const auto state : {RecordState::claimed, RecordState::handover, RecordState::released}) {
        const auto other = a_record(state == RecordState::claimed ? 2 : 1, 2, state);
        auto by_attempt = an_open_gate();
        attempt(by_attempt, 200, seen(other, 12));
        EXPECT_FALSE(by_attempt.route(at(200)).open);
        auto by_hint = an_open_gate();
        by_hint.hint(seen(other, 12));
        EXPECT_FALSE(by_hint.route(at(200)).open);
        auto by_bare = an_open_gate();
        attempt(by_bare, 200, bare(other, 12));
        EXPECT_FALSE(by_bare.route(at(200)).open);
    }
}

TEST(RouteGate, ALateHintOfAnOldVersionChangesNothing) {
    auto gate = an_open_gate();
    gate.hint(seen(a_record(1, 0, RecordState::claimed), 9));
    gate.hint(foreign(a_record(1, 0), 8));
    EXPECT_TRUE(gate.route(at(200)).open);
}

TEST(RouteGate, AnAttemptSentBeforeTheClosingHintCannotReopenTheOldEpoch) {
    auto gate = an_open_gate();
    const auto early = gate.begin_attempt(at(150));
    gate.hint(seen(a_record(1, 4, RecordState::released), 13));
    gate.answer(early, seen(a_record(1, 3), 12));
    EXPECT_FALSE(gate.route(at(200)).open);
    attempt(gate, 250, seen(a_record(1, 4, RecordState::released), 13));
    EXPECT_FALSE(gate.route(at(250)).open);
}

TEST(RouteGate, ReleaseThenNextEpochOpensWithTheAttemptThatSawTheClaim) {
    auto gate = an_open_gate();
    attempt(gate, 200, seen(a_record(1, 3, RecordState::released), 12));
    gate.hint(seen(a_record(2, 1, RecordState::claimed), 13));
    EXPECT_EQ(gate.newest()->epoch, 2U);
    EXPECT_EQ(gate.route(at(210)).why, "epoch 2 of pgvm2 is claimed, not yet primary");
    attempt(gate, 220, seen(a_record(2, 1, RecordState::claimed), 13));
    attempt(gate, 300, seen(a_record(2, 2), 14));
    const auto route = gate.route(at(300));
    EXPECT_TRUE(route.open);
    EXPECT_EQ(route.epoch, 2U);
    EXPECT_EQ(route.deadline, at(820));
}

TEST(RouteGate, HandoverThenNextEpochWithoutSeeingTheClaim) {
    auto gate = an_open_gate();
    gate.hint(seen(a_record(1, 3, RecordState::handover), 12));
    EXPECT_FALSE(gate.route(at(150)).open);
    attempt(gate, 200, seen(a_record(2, 2), 14));
    EXPECT_EQ(gate.route(at(200)).deadline, at(700)) << "the attempt before it was sent at 100";
    EXPECT_EQ(gate.route(at(200)).member, "uuid2");
}

TEST(RouteGate, StateMayMoveOnWithoutANewSeq) {
    RouteGate gate;
    attempt(gate, 0, seen(a_record(1, 1, RecordState::claimed), 10));
    attempt(gate, 100, seen(a_record(1, 1), 11));
    EXPECT_TRUE(gate.route(at(100)).open);
    attempt(gate, 200, seen(a_record(1, 1, RecordState::released), 12));
    EXPECT_FALSE(gate.route(at(200)).open);
}

TEST(RouteGate, NeverGoesBackToAnOlderEpoch) {
    auto gate = an_open_gate();
    gate.hint(seen(a_record(2, 1), 12));
    EXPECT_FALSE(gate.route(at(150)).open);
    attempt(gate, 200, seen(a_record(1, 5), 5));
    attempt(gate, 300, seen(a_record(1, 6), 6));
    EXPECT_FALSE(gate.route(at(300)).open);
}

TEST(RouteGate, AStoreThatWentBackExtendsNothing) {
    auto gate = an_open_gate();
    attempt(gate, 200, seen(a_record(1, 1), 7));
    attempt(gate, 300, seen(a_record(1, 2), 8));
    EXPECT_EQ(gate.route(at(300)).deadline, at(600));
    attempt(gate, 400, seen(a_record(1, 3), 9));
    EXPECT_EQ(gate.route(at(400)).deadline, at(900)) << "re-asserted with a higher seq";
}

TEST(RouteGate, AnAbsentOrUnreadableRecordLeavesItToTheDeadline) {
    auto gate = an_open_gate();
    attempt(gate, 200, {.store_revision = 20});
    EXPECT_TRUE(gate.route(at(200)).open);
    auto unreadable = seen(a_record(1, 3), 12);
    unreadable.record.record.reset();
    attempt(gate, 300, unreadable);
    EXPECT_EQ(gate.route(at(300)).deadline, at(600));
}

TEST(RouteGate, AnAttemptThatSawAnUnreadableVersionIsNotOneThatSawAnOlderOne) {
    auto gate = an_open_gate();
    auto unreadable = seen(a_record(1, 3), 12);
    unreadable.record.record.reset();
    attempt(gate, 300, unreadable);
    attempt(gate, 400, seen(a_record(1, 3), 12));
    EXPECT_EQ(gate.route(at(400)).deadline, at(700));
}

TEST(RouteGate, ABareRecordNeitherExtendsNorCloses) {
    auto gate = an_open_gate();
    attempt(gate, 200, bare(a_record(1, 3), 12));
    EXPECT_EQ(gate.route(at(200)).deadline, at(600));
    attempt(gate, 300, seen(a_record(1, 4), 14));
    EXPECT_EQ(gate.route(at(300)).deadline, at(700)) << "the bare attempt may have seen it";
}

TEST(RouteGate, AForeignRecordCloses) {
    auto by_attempt = an_open_gate();
    attempt(by_attempt, 200, foreign(a_record(1, 2), 11));
    EXPECT_FALSE(by_attempt.route(at(200)).open);
    EXPECT_EQ(by_attempt.route(at(200)).why, "the leader key names patroni1 without a record");
    auto by_hint = an_open_gate();
    by_hint.hint(foreign(a_record(1, 2), 11));
    EXPECT_FALSE(by_hint.route(at(200)).open);
    attempt(by_hint, 250, foreign(a_record(1, 2), 11));
    attempt(by_hint, 300, seen(a_record(2, 1), 20));
    EXPECT_EQ(by_hint.route(at(300)).deadline, at(850));
}

TEST(RouteGate, HalfOfABatchOfEventsIsNotForeign) {
    auto gate = an_open_gate();
    auto half = seen(a_record(1, 3), 12);
    half.record.leader_revision = 11;
    gate.hint(half);
    EXPECT_TRUE(gate.route(at(200)).open);
}

TEST(RouteGate, TwoIncarnationsOfOneEpochCloseUntilTheNext) {
    auto gate = an_open_gate();
    auto other = a_record(1, 3);
    other.incarnation = "impostor";
    attempt(gate, 200, seen(other, 12));
    EXPECT_FALSE(gate.route(at(200)).open);
    attempt(gate, 300, seen(a_record(1, 4), 13));
    attempt(gate, 400, seen(a_record(1, 5), 14));
    EXPECT_FALSE(gate.route(at(400)).open);
    attempt(gate, 500, seen(a_record(2, 1), 15));
    EXPECT_TRUE(gate.route(at(500)).open);
}

TEST(RouteGate, RestartStartsClosed) {
    auto gate = an_open_gate();
    gate = RouteGate();
    attempt(gate, 200, seen(a_record(1, 3), 12));
    EXPECT_FALSE(gate.route(at(200)).open);
    attempt(gate, 300, seen(a_record(1, 4), 13));
    EXPECT_EQ(gate.route(at(300)).deadline, at(800));
}

TEST(RouteGate, ForgetsAttemptsThatAreNeverAnswered) {
    auto gate = an_open_gate();
    const auto oldest = gate.begin_attempt(at(101));
    for (int i = 0; i < 1000; ++i) {
        gate.begin_attempt(at(102 + i));
    }
    gate.answer(oldest, seen(a_record(1, 3), 12));
    EXPECT_EQ(gate.route(at(200)).deadline, at(600));
}

// ---- a model of holder, candidate and store: an open route always rests on the epoch in force
// ----

std::uint64_t draw(std::uint64_t& state) {
    auto z = (state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
}

/// Versions by the tick of their commit. A holder renews now and then; it stops; after exactly T
/// without a new version (the least that W can be) somebody claims, and is primary some ticks
/// later.
std::map<int, ha::Record> a_history(std::uint64_t& random, int ticks, int ttl) {
    std::map<int, ha::Record> log;
    auto record = a_record(1, 1);
    record.ttl = Millis(ttl);
    int last = 0;
    for (int t = 0; t < ticks; ++t) {
        const bool renews = draw(random) % 8 == 0 && t - last < ttl;
        const bool claimed = record.state == RecordState::claimed;
        if (t - last == ttl) {
            const auto epoch = record.epoch + 1;
            record = a_record(epoch, 1, RecordState::claimed);
            record.ttl = Millis(ttl);
        } else if (renews) {
            ++record.seq;
            record.state =
                claimed || draw(random) % 10 ? RecordState::primary : RecordState::released;
        } else if (t != 0) {
            continue;
        }
        log[t] = record;
        last = t;
    }
    return log;
}

Seen store_at(const std::map<int, ha::Record>& log, int tick) {
    const auto it = std::prev(log.upper_bound(tick));
    return seen(it->second, it->first + 1);
}

TEST(RouteGate, IsNeverOpenToAnEpochThatHasBeenSuperseded) {
    std::uint64_t open_ticks = 0;
    for (std::uint64_t seed = 0; seed < 20000; ++seed) {
        auto random = seed;
        constexpr int ticks = 120;
        const auto log = a_history(random, ticks, 20);
        // Each seed its own faults: rare attempts, no watch, a store that is gone from some tick
        // on.
        const auto attempt_one_in = 2 + draw(random) % 12;
        const bool watches = draw(random) % 3 == 0;
        const auto store_ends = static_cast<int>(draw(random) % (2 * ticks));
        RouteGate gate;
        std::multimap<int, std::pair<RouteGate::Attempt, Seen>> answers;
        for (int t = 0; t < ticks; ++t) {
            if (draw(random) % attempt_one_in == 0) {
                const auto commit = t + static_cast<int>(draw(random) % 12);
                const auto answered = commit + static_cast<int>(draw(random) % 12);
                const auto id = gate.begin_attempt(at(t));
                if (draw(random) % 4 && commit < store_ends) {
                    answers.emplace(answered, std::pair(id, store_at(log, commit)));
                }
            }
            if (watches && t < store_ends && draw(random) % 6 == 0) {
                gate.hint(store_at(log, std::max(0, t - static_cast<int>(draw(random) % 10))));
            }
            for (auto [it, end] = answers.equal_range(t); it != end; ++it) {
                gate.answer(it->second.first, it->second.second);
            }
            const auto route = gate.route(at(t));
            open_ticks += route.open ? 1 : 0;
            ASSERT_TRUE(!route.open || route.epoch == store_at(log, t).record.record->epoch)
                << "seed " << seed << " tick " << t;
        }
    }
    EXPECT_GT(open_ticks, 100000U) << "the model must also show open routes";
}

/// The holder of epoch 1 alone, without other claimers.
ha::Vouch its_holder(Millis remaining) {
    return {
        .uuid = "uuid1", .holds = true, .epoch = 1, .incarnation = "run1", .remaining = remaining};
}

TEST(Vouching, CarriesTheRouteOnWhileTheStoreIsSilent) {
    auto gate = an_open_gate();
    gate.vouch(at(500), {its_holder(Millis(303))});
    EXPECT_TRUE(gate.route(at(790)).open);
    EXPECT_FALSE(gate.route(at(804)).open);
    gate.vouch(at(700), {});
    EXPECT_FALSE(gate.route(at(804)).open);
}

TEST(Vouching, NeverShortensARoute) {
    auto gate = an_open_gate();
    gate.vouch(at(100), {its_holder(Millis(10))});
    EXPECT_TRUE(gate.route(at(590)).open);
}

TEST(Vouching, IsNotUndoneByTheFirstRenewalAfterASilence) {
    auto gate = an_open_gate();
    gate.vouch(at(500), {its_holder(Millis(5000))});
    const auto vouched_until = gate.route(at(501)).deadline;
    ASSERT_GT(vouched_until, at(5000));
    attempt(gate, 2000, seen(a_record(1, 3), 12));
    EXPECT_TRUE(gate.route(at(2000)).open) << "the last attempt before it was sent at 100";
    EXPECT_EQ(gate.route(at(2000)).deadline, vouched_until);
    attempt(gate, 5200, seen(a_record(1, 4), 13));
    EXPECT_EQ(gate.route(at(5200)).deadline, vouched_until);
    attempt(gate, 5300, seen(a_record(1, 5), 14));
    EXPECT_EQ(gate.route(at(5300)).deadline, at(5800)) << "renewals prove more again";
}

TEST(Vouching, OfOneEpochSaysNothingOfTheNext) {
    auto gate = an_open_gate();
    gate.vouch(at(500), {its_holder(Millis(5000))});
    attempt(gate, 2000, seen(a_record(1, 2), 11));
    attempt(gate, 2100, seen(a_record(2, 1), 12));
    EXPECT_EQ(gate.route(at(2100)).epoch, 2U);
    EXPECT_EQ(gate.route(at(2100)).deadline, at(2600));
}

TEST(Vouching, CountsForNothingOnceAnythingNewerWasSeen) {
    for (const auto& newer : {a_record(2, 1), a_record(1, 3, RecordState::handover)}) {
        auto gate = an_open_gate();
        gate.hint(seen(newer, 90));
        gate.vouch(at(500), {its_holder(Millis(5000))});
        EXPECT_FALSE(gate.route(at(501)).open) << gate.route(at(501)).why;
    }
}

}  // namespace
}  // namespace howdah::proxy
