// What every KeyValueStore does, on the model and on a real etcd of three members.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>

#include "dcs/etcd/etcd_store.h"
#include "dcs/etcd/status.h"
#include "dcs/etcd/supervisor.h"
#include "dcs/fake/fake_store.h"
#include "dcs/scope.h"
#include "io/child.h"
#include "io/virtual_clock.h"

namespace howdah::dcs {
namespace {

constexpr Patience patient{.total = Seconds(10)};

void rethrow(std::exception_ptr error) {
    if (error) {
        std::rethrow_exception(error);
    }
}

/// A store and the time in which it lives.
class Stage {
public:
    virtual ~Stage() = default;
    virtual KeyValueStore& store() = 0;
    virtual io::Clock& clock() = 0;
    virtual void run(io::Task<> body) = 0;
};

class FakeStage final : public Stage {
public:
    KeyValueStore& store() override { return store_; }
    io::Clock& clock() override { return clock_; }
    void run(io::Task<> body) override {
        bool done = false;
        io::asio::co_spawn(context_, std::move(body), [&](std::exception_ptr error) {
            rethrow(error);
            done = true;
        });
        for (int i = 0; i < 10000 && !done; ++i) {
            clock_.advance(context_);
        }
        ASSERT_TRUE(done);
    }

private:
    io::asio::io_context context_{};
    io::VirtualClock clock_{};
    fake::FakeEtcd etcd_{context_.get_executor(), clock_};
    fake::FakeStore store_{etcd_, 1};
};

/// Three members, started once for all tests.
class RealEtcd {
public:
    static constexpr int count = 3;

    RealEtcd() {
        EXPECT_NE(mkdtemp(folder_), nullptr);
        std::map<std::string, std::string> members;
        for (int i = 0; i < count; ++i) {
            members["e" + std::to_string(i)] = url(i, 2380);
        }
        for (int i = 0; i < count; ++i) {
            supervisors_.push_back(std::make_unique<etcd::EtcdSupervisor>(
                context_.get_executor(), clock_, member(i, members)));
        }
        run(start());
    }
    ~RealEtcd() {
        run(stop());
        run(remove());
    }

    static etcd::EtcdOptions options() {
        etcd::EtcdOptions result;
        for (int i = 0; i < count; ++i) {
            result.endpoints.push_back({.host = host(i), .port = 2379});
        }
        return result;
    }
    void signal(int index, int number) { ::kill(supervisors_[std::size_t(index)]->pid(), number); }

private:
    static std::string host(int i) { return "127.0.64." + std::to_string(11 + i); }
    static std::string url(int i, int port) {
        return "http://" + host(i) + ":" + std::to_string(port);
    }
    etcd::SupervisedMember member(int i, const std::map<std::string, std::string>& members) const {
        return {.name = "e" + std::to_string(i),
                .data_dir = std::string(folder_) + "/e" + std::to_string(i),
                .client_url = url(i, 2379),
                .peer_url = url(i, 2380),
                .members = members};
    }
    void run(io::Task<> body) {
        io::asio::co_spawn(context_, std::move(body), rethrow);
        context_.restart();
        context_.run();
    }
    io::Task<> start() {
        io::Scope scope(context_.get_executor());
        for (auto& supervisor : supervisors_) {
            scope.spawn(supervisor->run());
        }
        etcd::EtcdStore store(context_.get_executor(), clock_, options());
        const auto up = co_await store.get("/", false, {.total = Seconds(30)});
        EXPECT_TRUE(up) << up.error().message;
        co_await scope.close();
    }
    io::Task<> stop() {
        for (auto& supervisor : supervisors_) {
            co_await supervisor->stop();
        }
    }
    io::Task<> remove() { (void)co_await io::run(clock_, {"rm", "-rf", folder_}, {}, Seconds(10)); }

    char folder_[32] = "/tmp/howdah-etcd-XXXXXX";
    io::asio::io_context context_{};
    io::SystemClock clock_{};
    std::vector<std::unique_ptr<etcd::EtcdSupervisor>> supervisors_{};
};

std::unique_ptr<RealEtcd> real_etcd;

class EtcdStage final : public Stage {
public:
    EtcdStage() {
        if (!real_etcd) {
            real_etcd = std::make_unique<RealEtcd>();
        }
    }
    KeyValueStore& store() override { return store_; }
    io::Clock& clock() override { return clock_; }
    void run(io::Task<> body) override {
        bool done = false;
        io::asio::co_spawn(context_, std::move(body), [&](std::exception_ptr error) {
            rethrow(error);
            done = true;
        });
        context_.run_for(std::chrono::seconds(300));
        ASSERT_TRUE(done);
    }
    io::Executor executor() { return context_.get_executor(); }

private:
    io::asio::io_context context_{};
    io::SystemClock clock_{};
    etcd::EtcdStore store_{context_.get_executor(), clock_, RealEtcd::options()};
};

class StopEtcd final : public testing::Environment {
    void TearDown() override { real_etcd.reset(); }
};
[[maybe_unused]] const auto* stop_etcd = testing::AddGlobalTestEnvironment(new StopEtcd);

class Contract : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        stage = GetParam() == "fake" ? std::unique_ptr<Stage>(std::make_unique<FakeStage>())
                                     : std::make_unique<EtcdStage>();
        prefix =
            std::string("/") + testing::UnitTest::GetInstance()->current_test_info()->name() + "/";
    }
    std::unique_ptr<Stage> stage{};
    std::string prefix{};
};

/// Each `expect` below continues after a failure; what needs a value takes it through this.
template <class T>
T must(Result<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message);
    }
    return *std::move(result);
}

io::Task<> revisions_grow(Stage& s, std::string prefix) {
    const auto one = must(co_await s.store().commit({.then = {Put{prefix + "b", "1"}}}, patient));
    const auto two = must(co_await s.store().commit(
        {.then = {Put{prefix + "a", std::string("\0x", 2)}, Put{prefix + "b", "2"}}}, patient));
    EXPECT_TRUE(two.succeeded);
    EXPECT_EQ(two.revision, one.revision + 1);
    const auto all = must(co_await s.store().get(prefix, false, patient));
    EXPECT_EQ(all.revision, two.revision);
    EXPECT_NE(all.cluster_id, 0U);
    EXPECT_EQ(all.cluster_id, two.cluster_id);
    const KeyValue a{.key = prefix + "a",
                     .value = std::string("\0x", 2),
                     .create_revision = two.revision,
                     .mod_revision = two.revision};
    const KeyValue b{.key = prefix + "b",
                     .value = "2",
                     .create_revision = one.revision,
                     .mod_revision = two.revision};
    EXPECT_EQ(all.keys, (std::vector{a, b}));
    const auto read_only = must(co_await s.store().commit({.then = {Get{b.key}}}, patient));
    EXPECT_EQ(read_only.revision, two.revision);
    const auto nothing = must(co_await s.store().commit({.then = {Delete{prefix + "c"}}}, patient));
    EXPECT_EQ(nothing.revision, two.revision);
}
TEST_P(Contract, RevisionsGrowWithEachChange) {
    stage->run(revisions_grow(*stage, prefix));
}

io::Task<> compares_decide(Stage& s, std::string prefix) {
    const auto key = prefix + "k";
    const Txn create{.when = {Compare::absent(key)},
                     .then = {Put{key, "1"}},
                     .otherwise = {Get{prefix + "none"}, Get{key}}};
    EXPECT_TRUE(must(co_await s.store().commit(create, patient)).succeeded);
    const auto again = must(co_await s.store().commit(create, patient));
    EXPECT_FALSE(again.succeeded);
    EXPECT_EQ(again.found.size(), 1U);
    const auto seen = again.found.at(0);
    EXPECT_EQ(seen.value, "1");

    const Txn change{.when = {Compare::unchanged(seen), Compare::equals(key, "1")},
                     .then = {Put{key, "2"}, Get{key}}};
    const auto changed = must(co_await s.store().commit(change, patient));
    EXPECT_TRUE(changed.succeeded);
    EXPECT_EQ(changed.found.at(0).value, "2");
    EXPECT_FALSE(must(co_await s.store().commit(change, patient)).succeeded);
    const Txn on_nothing{.when = {Compare::equals(prefix + "none", "")}};
    EXPECT_FALSE(must(co_await s.store().commit(on_nothing, patient)).succeeded);
}
TEST_P(Contract, ComparesDecideWhichBranchRuns) {
    stage->run(compares_decide(*stage, prefix));
}

io::Task<> unknown_lease(Stage& s, std::string prefix) {
    const auto refused = co_await s.store().commit(
        {.then = {Put{prefix + "a", "1"}, Put{prefix + "b", "1", 4711}}}, patient);
    EXPECT_EQ(refused.error().code, Errc::not_found);
    EXPECT_TRUE(must(co_await s.store().get(prefix, false, patient)).keys.empty());
    EXPECT_EQ((co_await s.store().keep_alive(4711, patient)).error().code, Errc::not_found);
    EXPECT_EQ((co_await s.store().revoke(4711, patient)).error().code, Errc::not_found);
}
TEST_P(Contract, UnknownLeaseFailsTheWholeTransaction) {
    stage->run(unknown_lease(*stage, prefix));
}

io::Task<> key_written_twice(Stage& s, std::string prefix) {
    const auto refused = co_await s.store().commit(
        {.then = {Put{prefix + "a", "1"}, Put{prefix + "a", "2"}}}, patient);
    EXPECT_EQ(refused.error().code, Errc::invalid);
}
TEST_P(Contract, KeyWrittenTwiceIsRefused) {
    stage->run(key_written_twice(*stage, prefix));
}

io::Task<> lease_ends(Stage& s, std::string prefix) {
    const auto lease = must(co_await s.store().grant(Seconds(2), patient));
    EXPECT_GE(lease.ttl, Seconds(2));
    const auto put =
        must(co_await s.store().commit({.then = {Put{prefix + "l", "1", lease.id}}}, patient));
    EXPECT_TRUE(co_await s.store().keep_alive(lease.id, patient));
    const auto watch = s.store().watch(prefix, put.revision);
    const auto first = must(co_await watch->next());
    EXPECT_EQ(first.size(), 1U);
    EXPECT_EQ(first.at(0).kv.lease, lease.id);
    const auto second = must(co_await io::within(s.clock(), Seconds(20), watch->next()));
    EXPECT_TRUE(second.at(0).deleted);
    EXPECT_EQ(second.at(0).kv.key, prefix + "l");
    EXPECT_GT(second.at(0).kv.mod_revision, put.revision);
    EXPECT_EQ((co_await s.store().keep_alive(lease.id, patient)).error().code, Errc::not_found);
}
TEST_P(Contract, EndOfALeaseDeletesItsKeysAndIsSeenByTheWatch) {
    stage->run(lease_ends(*stage, prefix));
}

io::Task<> revoked_lease(Stage& s, std::string prefix) {
    const auto lease = must(co_await s.store().grant(Seconds(60), patient));
    must(co_await s.store().commit({.then = {Put{prefix + "l", "1", lease.id}}}, patient));
    EXPECT_TRUE(co_await s.store().revoke(lease.id, patient));
    EXPECT_TRUE(must(co_await s.store().get(prefix, false, patient)).keys.empty());
}
TEST_P(Contract, RevokedLeaseDeletesItsKeys) {
    stage->run(revoked_lease(*stage, prefix));
}

io::Task<> rewritten_without_lease(Stage& s, std::string prefix) {
    const auto lease = must(co_await s.store().grant(Seconds(60), patient));
    must(co_await s.store().commit({.then = {Put{prefix + "l", "1", lease.id}}}, patient));
    must(co_await s.store().commit({.then = {Put{prefix + "l", "2"}}}, patient));
    EXPECT_TRUE(co_await s.store().revoke(lease.id, patient));
    EXPECT_EQ(must(co_await s.store().get(prefix, false, patient)).keys.size(), 1U);
}
TEST_P(Contract, PutWithoutLeaseTakesTheKeyOffIt) {
    stage->run(rewritten_without_lease(*stage, prefix));
}

io::Task<> watch_history(Stage& s, std::string prefix) {
    const auto one = must(co_await s.store().commit({.then = {Put{prefix + "a", "1"}}}, patient));
    must(co_await s.store().commit({.then = {Put{"/elsewhere", "x"}}}, patient));
    const auto two = must(co_await s.store().commit(
        {.then = {Delete{prefix + "a"}, Put{prefix + "b", "2"}}}, patient));
    const auto watch = s.store().watch(prefix, one.revision);
    std::vector<Event> seen;
    while (seen.size() < 3) {
        for (auto& event : must(co_await watch->next())) {
            seen.push_back(std::move(event));
        }
    }
    EXPECT_EQ(seen.at(0).kv.value, "1");
    EXPECT_TRUE(seen.at(1).deleted);
    EXPECT_EQ(seen.at(1).kv, (KeyValue{.key = prefix + "a", .mod_revision = two.revision}));
    EXPECT_EQ(seen.at(2).kv.mod_revision, two.revision);
}
TEST_P(Contract, WatchTellsWhatWasBeforeIt) {
    stage->run(watch_history(*stage, prefix));
}

struct Told {
    int count = 0;
};
io::Task<> feed_follows(Stage& s, std::string prefix) {
    ClusterFeed feed(s.clock(), s.store(), prefix);
    Told told;
    const auto executor = co_await io::asio::this_coro::executor;
    io::Bell bell(executor, s.clock());
    feed.on_change([&] {
        ++told.count;
        bell.ring();
    });
    io::Scope scope(executor);
    scope.spawn(feed.run());
    const auto limit = s.clock().now() + Seconds(20);
    co_await bell.wait_until(limit);
    EXPECT_TRUE(feed.current().has_value());
    const auto answered = feed.last_answer();
    EXPECT_FALSE(answered.never());

    must(co_await s.store().commit({.then = {Put{prefix + "leader", "pgvm1"}}}, patient));
    while (feed.current()->leader_name() != "pgvm1" && co_await bell.wait_until(limit)) {
    }
    EXPECT_EQ(feed.current()->leader_name(), "pgvm1");
    const auto loaded = must(co_await load(s.store(), prefix, patient));
    EXPECT_EQ(loaded.leader_name(), "pgvm1");
    must(co_await s.store().commit({.then = {Delete{prefix + "leader"}}}, patient));
    while (!feed.current()->leader_name().empty() && co_await bell.wait_until(limit)) {
    }
    EXPECT_EQ(feed.current()->leader_name(), "");
    EXPECT_EQ(told.count, 3);
    while (feed.last_answer() == answered && s.clock().now() < limit) {
        (void)co_await s.clock().until(s.clock().now() + Millis(100));
    }
    EXPECT_GT(feed.last_answer(), answered);
    co_await scope.close();
}
TEST_P(Contract, FeedFollowsTheScope) {
    stage->run(feed_follows(*stage, prefix));
}

io::Task<> compacts(Stage& s, std::string prefix) {
    Revision last = 0;
    for (int i = 0; i < 5; ++i) {
        const auto put = must(
            co_await s.store().commit({.then = {Put{prefix + "a", std::to_string(i)}}}, patient));
        last = put.revision;
    }
    EXPECT_GT(must(co_await s.store().space(patient)).used, 0);
    EXPECT_TRUE(co_await s.store().compact(last - 1, patient));
    EXPECT_TRUE(co_await s.store().compact(last - 2, patient)) << "already forgotten";
    const auto future = co_await s.store().compact(last + 1000, patient);
    EXPECT_EQ(future.error().code, Errc::conflict);
    const auto now = must(co_await s.store().get(prefix, false, patient));
    EXPECT_EQ(now.keys.at(0).value, "4");
    const auto late = s.store().watch(prefix, last - 3);
    const auto missed = co_await io::within(s.clock(), Seconds(15), late->next());
    EXPECT_EQ(missed.error().code, Errc::conflict);
    const auto fresh = s.store().watch(prefix, last);
    EXPECT_EQ(must(co_await fresh->next()).at(0).kv.value, "4");
}
TEST_P(Contract, CompactionForgetsThePastAndKeepsThePresent) {
    stage->run(compacts(*stage, prefix));
}

INSTANTIATE_TEST_SUITE_P(Stores, Contract, testing::Values("fake", "etcd"),
                         [](const auto& param) { return param.param; });

/// Until each member answers a linearizable read itself. A member that has just been thawed follows
/// nobody yet; without it the other two would be one vote, and what the next freeze shows would be
/// the length of etcd's election.
io::Task<> all_follow_a_leader(EtcdStage& s) {
    for (const auto& endpoint : RealEtcd::options().endpoints) {
        etcd::EtcdStore alone(s.executor(), s.clock(), {.endpoints = {endpoint}});
        const auto answer = co_await alone.get("/", false, {.total = Seconds(30)});
        EXPECT_TRUE(answer) << answer.error().message;
    }
}

io::Task<> frozen_endpoint(EtcdStage& s, std::string prefix) {
    const auto put = must(co_await s.store().commit({.then = {Put{prefix + "a", "1"}}}, patient));
    const auto watch = s.store().watch(prefix, put.revision);
    must(co_await watch->next());
    for (int i = 0; i < RealEtcd::count; ++i) {
        co_await all_follow_a_leader(s);
        real_etcd->signal(i, SIGSTOP);
        const auto begin = s.clock().now();
        const Patience hedged{.total = Seconds(30), .hedge = Millis(300)};
        const auto written =
            co_await s.store().commit({.then = {Put{prefix + "a", std::to_string(i)}}}, hedged);
        EXPECT_TRUE(written) << written.error().message;
        const auto committed = s.clock().now() - begin;
        const auto events = co_await io::within(s.clock(), Seconds(30), watch->next());
        EXPECT_TRUE(events) << events.error().message;
        const auto took = s.clock().now() - begin;
        fmt::print("member {} frozen: written after {} ms, seen by the watch after {} ms\n", i,
                   to_millis(committed).count(), to_millis(took).count());
        real_etcd->signal(i, SIGCONT);
    }
}
TEST(Etcd, FrozenEndpointIsLeftBehind) {
    EtcdStage stage;
    stage.run(frozen_endpoint(stage, "/frozen/"));
}

io::Task<> ask_status(EtcdStage& s) {
    const auto limit = s.clock().now() + Seconds(20);
    long healthy = 0;
    long leaders = 0;
    while ((healthy != RealEtcd::count || leaders != 1) && s.clock().now() < limit) {
        const auto status = must(
            co_await etcd::member_status(s.executor(), s.clock(), RealEtcd::options(), Seconds(5)));
        healthy = std::ranges::count_if(status, [](const auto& m) { return m.healthy; });
        leaders = std::ranges::count_if(status, [](const auto& m) { return m.leader; });
        EXPECT_GT(status.at(0).db_size, 0);
        (void)co_await s.clock().until(s.clock().now() + Millis(50));
    }
    EXPECT_EQ(healthy, RealEtcd::count);
    EXPECT_EQ(leaders, 1);
}
TEST(Etcd, StatusNamesOneLeader) {
    EtcdStage stage;
    stage.run(ask_status(stage));
}

}  // namespace
}  // namespace howdah::dcs
