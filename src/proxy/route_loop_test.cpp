#include "proxy/route_loop.h"

#include <gtest/gtest.h>

#include "dcs/fake/fake_store.h"

namespace howdah::proxy {
namespace {

/// A loop on a model of etcd, on virtual time, and a holder that renews as long as it is let.
struct LoopOnModel {
    io::asio::io_context context{1};
    io::VirtualClock clock{};
    io::HostClock host{clock, Nanos{}, 0};
    dcs::fake::FakeEtcd etcd{context.get_executor(), clock};
    dcs::fake::FakeStore store{etcd, 1, host};
    dcs::fake::FakeStore holders_store{etcd, 2, host};
    ha::WakeWatch wake{};
    bool vouches = true;
    int questions = 0;
    RouteLoop loop{{.executor = context.get_executor(),
                    .clock = host,
                    .attempts = store,
                    .wake = wake,
                    .prefix = "/s/",
                    .id = "one",
                    .ask_members = [this](Nanos limit) { return answer(limit); },
                    .on_change = [] {}}};
    io::Scope scope{context.get_executor()};
    ha::Record record{.epoch = 1,
                      .holder = "a",
                      .holder_name = "pgvm1",
                      .incarnation = "ia",
                      .ttl = Seconds(5),
                      .state = ha::RecordState::primary,
                      .claimers = {"a"},
                      .system_id = "7",
                      .timeline = 1};

    LoopOnModel() {
        for (auto* one : {&store, &holders_store}) {
            one->faults.way = [](std::size_t, bool) { return std::optional(Nanos(Millis(1))); };
        }
        scope.spawn([this] { return renew(); });
        scope.spawn([this] { return loop.run(); });
    }
    ~LoopOnModel() {
        io::asio::co_spawn(context, scope.close(), [](std::exception_ptr) {});
        context.restart();
        while (context.poll() > 0) {
        }
    }
    io::Task<> renew() {
        const Nanos every = record.ttl / 6;
        while (true) {
            ++record.seq;
            dcs::Txn txn{.then = {dcs::Put{.key = "/s/howdah", .value = ha::render(record)},
                                  dcs::Put{.key = "/s/leader", .value = record.holder_name}}};
            (void)co_await holders_store.commit(std::move(txn), {.total = every});
            (void)co_await host.until(host.now() + every);
        }
    }
    io::Task<std::vector<ha::Vouch>> answer(Nanos) {
        ++questions;
        std::vector<ha::Vouch> all;
        if (vouches) {
            all.push_back({.uuid = "a",
                           .holds = true,
                           .epoch = 1,
                           .incarnation = "ia",
                           .remaining = Millis(4000)});
        }
        co_return all;
    }
    /// Lets virtual time pass. Whether the route was open at every moment of it.
    bool stays_open(Nanos t) {
        bool open = true;
        bool done = false;
        io::asio::co_spawn(context, host.until(host.now() + t),
                           [&done](std::exception_ptr, Result<>) { done = true; });
        do {
            context.restart();
            while (context.poll() > 0) {
            }
            open = open && loop.route().open;
        } while (!done && clock.advance(context));
        return open;
    }
    void reach(bool there) { store.faults.reachable = holders_store.faults.reachable = there; }
};

TEST(RouteLoop, StaysOpenThroughASilenceOfTheStoreThatMembersVouchFor) {
    LoopOnModel m;
    (void)m.stays_open(Seconds(3));
    ASSERT_TRUE(m.loop.route().open) << m.loop.route().why;
    EXPECT_EQ(m.questions, 0) << "nobody is asked while the store answers";
    m.reach(false);
    EXPECT_TRUE(m.stays_open(Seconds(9)));
    m.reach(true);
    EXPECT_TRUE(m.stays_open(Seconds(10))) << "the first renewal after it proves less";
}

TEST(RouteLoop, AsksEarlyAndAgainUntilTheMembersVouch) {
    LoopOnModel m;
    (void)m.stays_open(Seconds(3));
    m.vouches = false;
    m.reach(false);
    EXPECT_TRUE(m.stays_open(Millis(2300)));
    EXPECT_GT(m.questions, 2) << "T/2 before the end is late";
    m.vouches = true;
    EXPECT_TRUE(m.stays_open(Seconds(6)));
}

TEST(RouteLoop, EndsThoughItIsAskingMembersAgainAndAgain) {
    LoopOnModel m;
    (void)m.stays_open(Seconds(3));
    m.vouches = false;
    m.reach(false);
    (void)m.stays_open(Seconds(6));
    bool ended = false;
    io::asio::co_spawn(m.context, m.scope.close(), [&ended](std::exception_ptr) { ended = true; });
    (void)m.stays_open(Seconds(2));
    EXPECT_TRUE(ended);
}

TEST(RouteLoop, ClosesAtItsDeadlineWhenNobodyVouches) {
    LoopOnModel m;
    (void)m.stays_open(Seconds(3));
    m.vouches = false;
    m.reach(false);
    (void)m.stays_open(Seconds(6));
    EXPECT_FALSE(m.loop.route().open);
}

}  // namespace
}  // namespace howdah::proxy
