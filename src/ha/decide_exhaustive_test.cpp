#include <gtest/gtest.h>

#include <array>

#include "ha/rules.h"
#include "ha/view_for_test.h"

// What must hold whatever a member sees. Each test counts how often its case came up: one that
// never does proves nothing.

namespace howdah::ha {
namespace {

/// Wheels that show the digits of a position, each in its own base. Whoever reads one turns all.
class Odometer {
public:
    explicit Odometer(std::uint64_t position) : rest_(position) {}

    std::size_t wheel(std::size_t size) {
        const auto shown = rest_ % size;
        rest_ /= size;
        combinations_ *= size;
        return shown;
    }
    template <class T>
    T one_of(std::initializer_list<T> values) {
        return values.begin()[wheel(values.size())];
    }
    bool flip() { return wheel(2) == 1; }
    /// What forbids most things.
    bool seldom() { return wheel(4) == 1; }
    /// Of all wheels turned so far.
    std::uint64_t combinations() const { return combinations_; }

private:
    std::uint64_t rest_;
    std::uint64_t combinations_ = 1;
};

const Voter voter_a{.uuid = "a", .name = "pgvm1"};
const Voter voter_c{.uuid = "c", .name = "pgvm3"};

SyncSet turn_sync_set(Odometer& o) {
    const std::array<SyncSet, 6> sets{
        SyncSet{},
        {.mode = SyncMode::on},
        {.mode = SyncMode::on, .voters = {voter_a}, .copies = 1},
        {.mode = SyncMode::on, .voters = {voter_c}, .copies = 1},
        {.mode = SyncMode::quorum, .voters = {voter_a, voter_c}, .copies = 1},
        {.mode = SyncMode::quorum, .strict = true, .voters = {voter_a, voter_c}, .copies = 1}};
    return sets.at(o.wheel(sets.size()));
}

AView turn_record(Odometer& o) {
    const auto state = o.one_of(
        {RecordState::claimed, RecordState::primary, RecordState::handover, RecordState::released});
    const bool holds = o.flip();
    auto record = a_record(state);
    record.handover_to = o.one_of({"a", "c"});
    record.paused = o.flip();
    record.sync = turn_sync_set(o);
    record.promoted.uuid = o.one_of({"a", "b"});
    if (const bool own = o.flip(); own || holds) {
        record.holder = "a";
        record.incarnation = "ia";
    }
    if (o.flip()) {
        record.reserved = {.epoch = 4, .timeline = 9};
    }
    AView view;
    view.with_record(record);
    if (holds) {
        view.v.tenure = Tenure{.epoch = 4, .record = record};
    }
    return view;
}

/// Rendering a record takes longer than all else.
const AView& record_at(std::size_t position) {
    static const auto all = [] {
        std::vector<AView> views;
        Odometer first(0);
        (void)turn_record(first);
        for (std::size_t i = 0; i < first.combinations(); ++i) {
            Odometer o(i);
            views.push_back(turn_record(o));
        }
        return views;
    }();
    return all.at(position);
}
std::size_t records() {
    static const auto count = [] {
        Odometer o(0);
        (void)turn_record(o);
        return o.combinations();
    }();
    return count;
}

void turn_server(Odometer& o, View& v) {
    v.local.role = o.one_of({Role::none, Role::primary, Role::standby});
    if (v.local.role != Role::standby) {
        v.local.following.reset();
    }
    enum class Server : std::uint8_t { answers, silent, dying, dead };
    const auto server = o.one_of({Server::answers, Server::silent, Server::dying, Server::dead});
    v.local.postmaster = server == Server::answers || server == Server::silent;
    v.local.accepting = server == Server::answers;
    v.local.tree_dead = server == Server::dead;
    v.local.final_lsn = server == Server::dead ? v.local.lsn : pg::Lsn{};
    v.local.needs_rewind = o.seldom();
    v.local.job = o.one_of({Job{}, Job{.kind = JobKind::stop, .running = true, .since = v.now},
                            Job{.kind = JobKind::start, .since = v.now, .failures = 1},
                            Job{.kind = JobKind::start, .failures = start_attempts}});
    v.self.history_epoch = 4;
    if (o.seldom()) {
        v.self.held = {.system_id = "77", .timeline = 3, .lsn = pg::Lsn(2000)};
    }
}

void turn_votes(Odometer& o, View& v) {
    const Vote own{.uuid = "a",
                   .name = "pgvm1",
                   .sealed = true,
                   .stored_epoch = 4,
                   .may_lead = true,
                   .history_epoch = 4,
                   .timeline = 3,
                   .flushed = pg::Lsn(1000)};
    auto other = own;
    other.uuid = "c";
    other.name = "pgvm3";
    auto better = other;
    better.flushed = pg::Lsn(2000);
    auto lacks = other;
    lacks.lacks = true;
    auto later = other;
    later.sealed = false;
    later.stored_epoch = 5;
    const std::array<std::vector<Vote>, 5> answers{
        std::vector{own}, {own, other}, {own, better}, {own, lacks}, {own, later}};
    const auto votes = answers.at(o.wheel(answers.size()));
    if (const auto round = o.one_of({"none", "under way", "over"}); round != std::string("none")) {
        v.votes = {.epoch = 4,
                   .rounds = 1,
                   .first_asked = v.now,
                   .asked = v.now,
                   .complete = round == std::string("over"),
                   .votes = votes};
    }
}

void turn_peers(Odometer& o, View& v) {
    const Standing fit{
        .uuid = "c", .name = "pgvm3", .stored_epoch = 4, .timeline = 3, .received = pg::Lsn(1000)};
    auto better = fit;
    better.received = pg::Lsn(2000);
    auto later = fit;
    later.stored_epoch = 5;
    const Standing holder{.uuid = "b", .name = "pgvm2", .holds = true};
    const std::array<std::vector<Standing>, 5> answers{
        std::vector<Standing>{}, {fit}, {better}, {later}, {holder}};
    const auto& standings = answers.at(o.wheel(answers.size()));
    if (o.flip()) {
        v.peers = {.about_revision = v.cluster->record.revision,
                   .asked = v.now,
                   .complete = true,
                   .standings = standings};
    }
}

void turn_orders(Odometer& o, View& v) {
    v.settings.pause = o.flip();
    const bool ordered = o.flip(), restart = o.flip(), switching = o.flip();
    if (ordered) {
        v.order = SwitchoverOrder{.candidate = restart ? "a" : "c",
                                  .candidate_name = restart ? "pgvm1" : "pgvm3",
                                  .checkpoint = SwitchoverOrder::Checkpoint::done,
                                  .asked = start,
                                  .restart = restart};
        v.memory.decided.switching = switching;
    }
    const auto what = o.wheel(4);
    if (what == 1 || what == 2) {
        v.standby_order = StandbyOrder{
            .what = what == 1 ? StandbyOrder::What::restart : StandbyOrder::What::reinitialize,
            .asked = start,
            .id = "1"};
    }
    if (o.seldom()) {
        v.self.promised_until = v.now + 1s;
    }
    v.memory.decided.names_set_for = o.one_of({Epoch{0}, Epoch{4}});
}

View turn(Odometer& o) {
    auto view = record_at(o.wheel(records()));
    auto& v = view.v;
    if (o.flip()) {
        view.after(6s);
    }
    const auto left = o.one_of({-1s, 0s, 1s, 4s});
    if (v.tenure) {
        v.tenure->deadline = v.now + left;
    }
    v.claim_unresolved = o.seldom();
    v.cluster_fresh = true;
    if (o.flip()) {
        const auto& set = v.cluster->record.record->sync;
        v.settings.sync_mode = set.mode;
        v.settings.sync_strict = set.strict;
    }
    turn_server(o, v);
    turn_votes(o, v);
    turn_peers(o, v);
    turn_orders(o, v);
    return v;
}

bool any(const View&) {
    return true;
}

/// Through all combinations with the records that are `wanted`, in strides: as no wheel has a
/// factor in common with it, a stride turns every wheel against every other.
template <class Check>
void for_each_view(Check check, bool (*wanted)(const View&) = any) {
    constexpr std::uint64_t views = 50'000, factors = 2ULL * 3 * 5 * 7 * 11;
    std::vector<bool> counts;
    for (std::size_t i = 0; i < records(); ++i) {
        counts.push_back(wanted(record_at(i).v));
    }
    Odometer first(0);
    (void)turn(first);
    const auto share = static_cast<std::uint64_t>(std::ranges::count(counts, true));
    const auto stride =
        first.combinations() / records() * share / views / factors * factors + factors - 1;
    for (std::uint64_t i = 0; i < first.combinations(); i += stride) {
        if (!counts.at(i % records())) {
            continue;
        }
        Odometer o(i);
        const auto v = turn(o);
        check(v, decide(v));
        if (testing::Test::HasFatalFailure()) {
            return;
        }
    }
}

bool may_write(const View& v) {
    return v.local.role == Role::primary && (v.local.postmaster || !v.local.tree_dead);
}

TEST(DecideExhaustive, NeverBecomesWritableWithoutTermAndRoom) {
    int promoted = 0, started = 0;
    for_each_view([&](const View& v, const Plan& plan) {
        promoted += does<Promote>(plan);
        started += does<StartPrimary>(plan);
        if (does<Promote>(plan) || does<StartPrimary>(plan)) {
            ASSERT_TRUE(v.tenure);
            ASSERT_LT(v.now + v.settings.lease.fence_budget + v.settings.lease.promote_budget,
                      v.tenure->deadline);
        }
    });
    EXPECT_GT(promoted, 0);
    EXPECT_GT(started, 0);
}

TEST(DecideExhaustive, NeverPromotesPastAStrictSetWithoutItsVotes) {
    int promoted = 0, started = 0;
    const auto check = [&](const View& v, const Plan& plan) {
        promoted += does<Promote>(plan);
        started += does<StartPrimary>(plan);
        if (does<Promote>(plan) || does<StartPrimary>(plan)) {
            ASSERT_TRUE(v.votes.complete);
            const auto sealed = std::ranges::count_if(v.votes.votes, &Vote::sealed);
            ASSERT_GE(sealed, v.tenure->record.sync.votes_needed());
        }
    };
    for_each_view(check, [](const View& v) {
        return v.tenure && v.tenure->record.sync.strict && holds_as(v, RecordState::claimed);
    });
    EXPECT_GT(promoted, 0);
    EXPECT_GT(started, 0);
}

TEST(DecideExhaustive, NeverGivesUpTheRecordWhileAPrimaryMayLive) {
    int released = 0, handed_over = 0;
    for_each_view([&](const View& v, const Plan& plan) {
        released += does<Release>(plan);
        handed_over += does<HandOver>(plan);
        if (does<Release>(plan) || does<HandOver>(plan)) {
            const auto dead = v.local.tree_dead && !v.local.postmaster;
            ASSERT_TRUE(dead ||
                        (v.local.role == Role::standby && holds_as(v, RecordState::claimed)))
                << plan.why;
        }
    });
    EXPECT_GT(released, 0);
    EXPECT_GT(handed_over, 0);
}

TEST(DecideExhaustive, PrimaryThatMayNotStayWritableIsAlwaysFenced) {
    int fenced = 0;
    for_each_view([&](const View& v, const Plan& plan) {
        if (may_write(v) && !may_stay_writable(v) && !is_left_running(v)) {
            ++fenced;
            ASSERT_TRUE(does<Fence>(plan)) << plan.rule;
        }
    });
    EXPECT_GT(fenced, 0);
}

TEST(DecideExhaustive, PrimaryThatAPauseLeavesRunningIsNotStoppedForItsTerm) {
    int left = 0;
    for_each_view([&](const View& v, const Plan& plan) {
        if (may_write(v) && !may_stay_writable(v) && is_left_running(v) && !v.standby_order) {
            ++left;
            ASSERT_NE(plan.rule, "fence_without_term");
            ASSERT_NE(plan.rule, "stop_before_deadline");
        }
    });
    EXPECT_GT(left, 0);
}

TEST(DecideExhaustive, NeverClaimsWhileItHoldsOrAClaimIsUnresolved) {
    int claimed = 0, held = 0;
    for_each_view([&](const View& v, const Plan& plan) {
        claimed += does<ClaimRecord>(plan);
        if (v.tenure || v.claim_unresolved) {
            ++held;
            ASSERT_FALSE(does<ClaimRecord>(plan)) << plan.why;
        }
    });
    EXPECT_GT(claimed, 0);
    EXPECT_GT(held, 0);
}

TEST(DecideExhaustive, NeverClaimsAgainstWhatForbidsIt) {
    int claimed = 0, paused = 0, promised = 0, lacking = 0;
    const auto check = [&](const View& v, const Plan& plan) {
        const auto own = v.cluster->record.record->holder == v.self.uuid;
        const auto elsewhere = v.cluster->record.record->paused && !own;
        claimed += does<ClaimRecord>(plan);
        paused += elsewhere;
        promised += promise_stands(v);
        lacking += lacks_held_wal(v);
        if (does<ClaimRecord>(plan)) {
            ASSERT_FALSE(elsewhere) << "another's PostgreSQL may run on in a pause";
            ASSERT_TRUE(!v.settings.pause || own || is_handed_to_self(v));
            ASSERT_FALSE(promise_stands(v));
            ASSERT_FALSE(lacks_held_wal(v));
        }
    };
    for_each_view(check, [](const View& v) { return !v.tenure; });
    EXPECT_GT(claimed, 0);
    EXPECT_GT(paused, 0);
    EXPECT_GT(promised, 0);
    EXPECT_GT(lacking, 0);
}

/// Whatever their order, so that each can be read without the other.
TEST(DecideExhaustive, OfTwoRulesThatEndATermInOnePlaceOneApplies) {
    int handed_over = 0, reported = 0, started = 0, given_back = 0;
    for_each_view([&](const View& v, const Plan&) {
        const bool hands_over = rule::hand_over(v).has_value();
        const bool reports = rule::report_death(v).has_value();
        const bool starts = rule::start_in_place(v).has_value();
        const bool gives_back = rule::give_back(v).has_value();
        ASSERT_FALSE(hands_over && reports);
        ASSERT_FALSE(starts && gives_back);
        handed_over += hands_over;
        reported += reports;
        started += starts;
        given_back += gives_back;
    });
    EXPECT_GT(handed_over, 0);
    EXPECT_GT(reported, 0);
    EXPECT_GT(started, 0);
    EXPECT_GT(given_back, 0);
}

}  // namespace
}  // namespace howdah::ha
