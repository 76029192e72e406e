#include "agent/lease_keeper.h"

#include <gtest/gtest.h>

#include "agent/model_watchdog.h"
#include "dcs/fake/fake_store.h"

namespace howdah::agent {
namespace {

struct NoDisk final : Durable, Deadlines {
    Stored load() const override { return {}; }
    Result<> store(const Stored&) override { return {}; }
    std::vector<ha::EpochStart> epochs() const override { return {}; }
    Result<> remember(ha::EpochStart) override { return {}; }
    std::optional<ha::Record> last_record() const override { return {}; }
    Result<> keep(const ha::Record&) override { return {}; }
    ha::MemberNames names() const override { return {}; }
    Result<> keep_names(const ha::MemberNames&) override { return {}; }
    pg::Timeline greatest_timeline() const override { return 0; }
    Result<> keep_timeline(pg::Timeline) override { return {}; }
    std::optional<ha::StoredPromise> promise() const override { return {}; }
    Result<> store_promise(const ha::StoredPromise&) override { return {}; }
    ha::HeldWal held_wal() const override { return {}; }
    Result<> keep_held_wal(const ha::HeldWal&) override { return {}; }
    bool paused() const override { return false; }
    Result<> keep_paused(bool) override { return {}; }
    void write(Instant) override {}
    Instant read() const override { return {}; }
};

struct NoPeers final : PromisePeers {
    io::Task<std::vector<ha::PromiseAnswer>> promise(std::vector<ha::Member>, ha::PromiseRequest,
                                                     Nanos) override {
        co_return std::vector<ha::PromiseAnswer>{};
    }
};

/// A keeper on a model of etcd, on virtual time.
struct KeeperOnModel {
    io::asio::io_context context{1};
    io::VirtualClock clock{};
    io::HostClock host{clock, Nanos{}, 0};
    dcs::fake::FakeEtcd etcd{context.get_executor(), clock};
    dcs::fake::FakeStore store{etcd, 1, host};
    NoDisk disk{};
    NoPeers peers{};
    ModelWatchdog watchdog{};
    ha::WakeWatch wake{};
    Keeping told{};
    LeaseKeeper keeper{context.get_executor(),
                       host,
                       store,
                       "/s/",
                       {.uuid = "a", .name = "pgvm1", .incarnation = "ia"},
                       disk,
                       disk,
                       peers,
                       watchdog,
                       wake,
                       [this](Keeping k) { told = std::move(k); }};
    bool answers = true;
    io::Scope scope{context.get_executor()};

    KeeperOnModel() {
        store.faults.way = [this](std::size_t, bool to_store) {
            return to_store || answers ? std::optional(Nanos(Millis(1))) : std::nullopt;
        };
    }
    template <class Answer>
    Answer wait_for(io::Task<Answer> task) {
        std::optional<Answer> answer;
        io::asio::co_spawn(context, std::move(task),
                           [&](std::exception_ptr, Answer a) { answer = std::move(a); });
        do {
            context.restart();
            while (context.poll() > 0) {
            }
        } while (!answer && clock.advance(context));
        return std::move(*answer);
    }
    /// The keeper's own loop, until the end of the test.
    void run_keeper() {
        scope.spawn([this] { return keeper.run(); });
    }
    /// Lets virtual time pass.
    void wait(Nanos t) { (void)wait_for(host.until(host.now() + t)); }
    void close() {
        io::asio::co_spawn(context, scope.close(), [](std::exception_ptr) {});
        context.restart();
        while (context.poll() > 0) {
        }
    }
    ha::Sighting seen() { return sighting(etcd.range("/s/").keys, "/s/howdah", "/s/leader"); }
    ha::Record committed() {
        return *sighting(etcd.range("/s/").keys, "/s/howdah", "/s/leader").record;
    }
};

TEST(LeaseKeeper, GivingUpKeepsWhatCommittedUnseen) {
    KeeperOnModel k;
    ASSERT_TRUE(k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"})));
    k.answers = false;
    const auto marked = k.wait_for(k.keeper.change(
        [](ha::Record& r) {
            r.state = ha::RecordState::primary;
            r.timeline = 2;
            r.promoted = {.uuid = "a", .epoch = 1, .timeline = 2};
        },
        Seconds(1)));
    ASSERT_FALSE(marked);
    ASSERT_EQ(k.committed().promoted.epoch, 1U);
    k.answers = true;
    const auto released = k.wait_for(
        k.keeper.give_up([](ha::Record& r) { r.state = ha::RecordState::released; }, Seconds(1)));
    ASSERT_TRUE(released);
    EXPECT_EQ(k.committed().state, ha::RecordState::released);
    EXPECT_EQ(k.committed().promoted.epoch, 1U);
    EXPECT_EQ(k.committed().timeline, 2U);
}

TEST(LeaseKeeper, LeavingDoesNotWaitForASilentStore) {
    KeeperOnModel k;
    k.run_keeper();
    ASSERT_TRUE(k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"})));
    k.store.faults.reachable = false;
    const auto begun = k.host.now();
    const auto release = [](ha::Record& r) { r.state = ha::RecordState::released; };
    ASSERT_TRUE(k.wait_for(k.keeper.leave(release, Seconds(5))));
    EXPECT_LT(k.host.now() - begun, Millis(10)) << "the agent goes on deciding";
    EXPECT_FALSE(k.told.tenure) << "the term is over with the sending";
    const auto again = k.wait_for(k.keeper.claim({.epoch = 2, .system_id = "77"}));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict) << "nothing is claimed before that is settled";
    EXPECT_LT(k.host.now() - begun, Millis(10));
    EXPECT_EQ(k.committed().state, ha::RecordState::claimed);
    k.store.faults.reachable = true;
    k.wait(Seconds(4));
    EXPECT_EQ(k.committed().state, ha::RecordState::released);
    EXPECT_TRUE(k.wait_for(k.keeper.claim({.over = k.seen(), .epoch = 2, .system_id = "77"})));
    k.close();
}

TEST(LeaseKeeper, LeavingEndsItsEffortsAtTheLimit) {
    KeeperOnModel k;
    k.run_keeper();
    ASSERT_TRUE(k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"})));
    k.store.faults.reachable = false;
    const auto release = [](ha::Record& r) { r.state = ha::RecordState::released; };
    ASSERT_TRUE(k.wait_for(k.keeper.leave(release, Seconds(5))));
    k.wait(Seconds(8));
    k.store.faults.reachable = true;
    EXPECT_TRUE(k.wait_for(k.keeper.claim({.over = k.seen(), .epoch = 2, .system_id = "77"})));
    k.close();
}

TEST(LeaseKeeper, RenewsNoTermThatIsLetGo) {
    KeeperOnModel k;
    k.run_keeper();
    ASSERT_TRUE(k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"})));
    k.wait(Seconds(2));
    const auto seq = k.committed().seq;
    ASSERT_GT(seq, 1U);
    ASSERT_TRUE(k.wait_for(k.keeper.let_term_end()));
    k.wait(Seconds(3));
    EXPECT_EQ(k.committed().seq, seq);
    EXPECT_FALSE(k.wait_for(k.keeper.change([](ha::Record&) {}, Seconds(1))));
    EXPECT_EQ(k.committed().seq, seq);
    k.wait(Seconds(4));
    EXPECT_FALSE(k.told.tenure);
    EXPECT_EQ(k.committed().state, ha::RecordState::claimed) << "nothing says `released`";
    EXPECT_TRUE(k.wait_for(k.keeper.claim({.over = k.seen(), .epoch = 2, .system_id = "77"})));
    k.wait(Seconds(2));
    EXPECT_GT(k.committed().seq, 1U) << "a new term is renewed";
    k.close();
}

TEST(LeaseKeeper, RenewsOnlyWhileTheAgentsLoopTurns) {
    KeeperOnModel k;
    k.run_keeper();
    k.keeper.turned();
    ASSERT_TRUE(k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"})));
    k.wait(Seconds(2));
    k.keeper.turned();
    k.wait(Seconds(4));
    const auto stuck = k.committed().seq;
    k.wait(Seconds(2));
    EXPECT_EQ(k.committed().seq, stuck) << "T/2 is 2.5 s";
    ASSERT_TRUE(k.told.tenure);
    k.keeper.turned();
    k.wait(Seconds(2));
    EXPECT_GT(k.committed().seq, stuck) << "it goes on inside its term";
    k.wait(Seconds(10));
    EXPECT_FALSE(k.told.tenure);
    k.close();
}

TEST(LeaseKeeper, TellsThatAnotherSyncSetMayStand) {
    KeeperOnModel k;
    ASSERT_TRUE(k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"})));
    const auto publish = [](ha::Record& r) { r.sync = {.mode = ha::SyncMode::on, .copies = 1}; };
    k.answers = false;
    ASSERT_FALSE(k.wait_for(k.keeper.change(publish, Seconds(1))));
    ASSERT_TRUE(k.told.tenure);
    EXPECT_TRUE(k.told.tenure->change_unresolved);
    k.answers = true;
    ASSERT_TRUE(k.wait_for(k.keeper.change(publish, Seconds(1))));
    EXPECT_FALSE(k.told.tenure->change_unresolved);
}

TEST(LeaseKeeper, AChangeDoesNotUndoAnEarlierOneThatCommittedUnseen) {
    KeeperOnModel k;
    ASSERT_TRUE(k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"})));
    k.answers = false;
    ASSERT_FALSE(k.wait_for(k.keeper.change(
        [](ha::Record& r) {
            r.state = ha::RecordState::primary;
            r.promoted = {.uuid = "a", .epoch = 1, .timeline = 2};
        },
        Seconds(1))));
    k.answers = true;
    ASSERT_TRUE(k.wait_for(k.keeper.change(
        [](ha::Record& r) {
            r.sync = {.mode = ha::SyncMode::on, .copies = 1};
            ++r.sync_version;
        },
        Seconds(1))));
    EXPECT_EQ(k.committed().state, ha::RecordState::primary);
    EXPECT_EQ(k.committed().promoted.epoch, 1U);
    EXPECT_EQ(k.committed().sync_version, 1U) << "made once";
    EXPECT_EQ(k.committed().sync.mode, ha::SyncMode::on);
}

TEST(LeaseKeeper, DoesNotClaimWithoutTheWatchdogThatMustBeThere) {
    KeeperOnModel k;
    k.watchdog.missing = "no device";
    const auto claimed = k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"}));
    ASSERT_FALSE(claimed);
    EXPECT_EQ(claimed.error().code, Errc::unsafe);
    EXPECT_TRUE(k.etcd.range("/s/").keys.empty()) << "nothing was sent";
}

TEST(LeaseKeeper, PetsTheWatchdogOnlyForWhatWasConfirmed) {
    KeeperOnModel k;
    ASSERT_TRUE(k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"})));
    const auto first = k.watchdog.resets_at();
    EXPECT_FALSE(first.never());
    EXPECT_LT(first, k.told.tenure->deadline);
    k.answers = false;
    (void)k.wait_for(k.keeper.change([](ha::Record&) {}, Seconds(1)));
    EXPECT_EQ(k.watchdog.resets_at(), first);
    k.answers = true;
    ASSERT_TRUE(k.wait_for(k.keeper.change([](ha::Record&) {}, Seconds(1))));
    EXPECT_GT(k.watchdog.resets_at(), first);
}

TEST(LeaseKeeper, AfterAPauseATermIsCertainOnlyOnceItIsRenewed) {
    KeeperOnModel k;
    ASSERT_TRUE(k.wait_for(k.keeper.claim({.epoch = 1, .system_id = "77"})));
    EXPECT_EQ(k.told.proved_after, k.wake.pauses());
    k.wake.overslept(Instant{Seconds(1)}, Instant{Seconds(100)}, Seconds(5));
    EXPECT_NE(k.told.proved_after, k.wake.pauses());
    ASSERT_TRUE(k.wait_for(k.keeper.change([](ha::Record&) {}, Seconds(1))));
    EXPECT_EQ(k.told.proved_after, k.wake.pauses());
}

}  // namespace
}  // namespace howdah::agent
