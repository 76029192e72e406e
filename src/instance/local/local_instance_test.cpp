#include "instance/local/local_instance.h"

#include <gtest/gtest.h>

#include <csignal>

#include "fencer/page.h"
#include "instance/local/local_fixture_for_test.h"
#include "instance/local/pg_process.h"

// The life of a server: start, failover, the ways to die. Addresses 127.0.65.x.

namespace howdah::instance {
namespace {

class LocalInstanceTest : public LocalFixture {
public:
    io::Task<> fail_over_and_back();
    io::Task<> shut_down_cleanly();
    io::Task<> die_in_different_ways();
    io::Task<> refuse();
};

io::Task<> LocalInstanceTest::fail_over_and_back() {
    auto* a = co_await make("node-a", "127.0.65.1");
    auto* b = co_await make("node-b", "127.0.65.2");
    if (!co_await make_primary(a)) {
        co_return;
    }
    check(co_await a->pg.keep_slots({"node-a", "node-b"}), "slots");
    if (!co_await make_standby(b, a)) {
        co_return;
    }
    const auto before = co_await a->pg.observe(1s);
    EXPECT_EQ(before.role, ha::Role::primary);
    EXPECT_EQ(before.timeline, 1U);
    EXPECT_EQ(before.state, ha::PgState::running);
    EXPECT_FALSE(before.tree_dead);
    EXPECT_EQ(before.postmaster_start_time.size(),
              std::string("2024-01-01 00:00:00.000000+00:00").size());
    EXPECT_EQ(before.walsenders.size(), 1U);
    EXPECT_EQ(before.walsenders.at(0).application_name, "node-b");
    const auto standby = co_await b->pg.observe(1s);
    EXPECT_EQ(standby.role, ha::Role::standby);
    EXPECT_EQ(standby.system_id, before.system_id);
    EXPECT_EQ(standby.replication_state, "streaming");

    check(co_await b->pg.check_divergence(a->address()), "compare");
    EXPECT_FALSE((co_await b->pg.observe(1s)).needs_rewind);

    if (!co_await job(b, b->pg.promote(), "promote")) {
        co_return;
    }
    const auto promoted = co_await b->pg.observe(1s);
    EXPECT_EQ(promoted.role, ha::Role::primary);
    EXPECT_EQ(promoted.timeline, 2U);
    EXPECT_TRUE(promoted.accepting);
    // Both write: the old primary's part is lost history.
    co_await expect_sql(a, "INSERT INTO t VALUES (100)", "");
    co_await expect_sql(b, "INSERT INTO t VALUES (2)", "");
    const auto since = clock_.now();
    check(co_await a->pg.fence(5s), "fence");
    fmt::print("{:>30} {} ms\n", "node-a fence", to_millis(clock_.now() - since).count());
    const auto dead = co_await a->pg.observe(1s);
    EXPECT_TRUE(dead.tree_dead);
    EXPECT_FALSE(dead.postmaster);
    EXPECT_GT(dead.final_lsn, before.lsn);
    EXPECT_EQ(dead.timeline, 1U);
    EXPECT_TRUE(processes_in(a->config.postgresql.data_dir).empty());

    const auto history = co_await b->pg.timeline_history(2);
    EXPECT_TRUE(history && history->starts_with("1\t"));
    check(co_await a->pg.check_divergence(b->address()), "compare");
    EXPECT_TRUE((co_await a->pg.observe(1s)).needs_rewind);
    if (!co_await job(a, a->pg.rewind(b->address()), "rewind")) {
        co_return;
    }
    EXPECT_FALSE((co_await a->pg.observe(1s)).needs_rewind);
    EXPECT_FALSE(fs::exists(a->config.postgresql.data_dir + ".diverged"));
    check(co_await b->pg.keep_slots({"node-a", "node-b"}), "slots");
    if (!co_await job(a, a->pg.start(StartAs::standby, b->address()), "start as standby") ||
        !co_await becomes(a, "streams", [](const Local& l) {
            return l.streaming_from_following && l.timeline == 2;
        })) {
        co_return;
    }
    co_await expect_sql(b, "INSERT INTO t VALUES (3)", "");
    const auto wanted = (co_await b->pg.observe(1s)).lsn;
    co_await becomes(a, "replays all", [&](const Local& l) { return l.replayed >= wanted; });
    co_await expect_sql(a, "SELECT string_agg(i::text, ' ' ORDER BY i) FROM t", "1 2 3");
    co_await becomes(b, "checkpointed",
                     [](const Local& l) { return l.checkpointed_since_promote; });
}

io::Task<> LocalInstanceTest::shut_down_cleanly() {
    auto* a = co_await make("a", "127.0.65.3");
    auto* b = co_await make("b", "127.0.65.4");
    if (!co_await make_primary(a) || !co_await make_standby(b, a)) {
        co_return;
    }
    if (!co_await job(a, a->pg.stop(StopMode::fast), "stop fast")) {
        co_return;
    }
    const auto stopped = co_await a->pg.observe(1s);
    EXPECT_EQ(stopped.state, ha::PgState::stopped);
    EXPECT_FALSE(stopped.crashed);
    EXPECT_EQ(stopped.control.state, "shut down");
    // What the release says is what a standby that got everything has.
    co_await becomes(b, "has all", [&](const Local& l) { return l.received >= stopped.final_lsn; });
    const auto all = co_await b->pg.observe(1s);
    EXPECT_EQ(all.received.text(), stopped.final_lsn.text());
    EXPECT_EQ(all.replayed.text(), stopped.final_lsn.text());
    if (!co_await job(b, b->pg.promote(), "promote")) {
        co_return;
    }
    check(co_await a->pg.check_divergence(b->address()), "compare");
    EXPECT_FALSE((co_await a->pg.observe(1s)).needs_rewind);
    if (!co_await job(a, a->pg.start(StartAs::standby, b->address()), "start as standby")) {
        co_return;
    }
    // Without its slot it connects again and again, which isn't streaming.
    const auto looked_until = clock_.now() + 700ms;
    while (clock_.now() < looked_until) {
        EXPECT_FALSE((co_await a->pg.observe(1s)).streaming_from_following);
        (void)co_await clock_.until(clock_.now() + 3ms);
    }
    check(co_await b->pg.keep_slots({"a", "b"}), "slots");
    co_await becomes(a, "streams", [](const Local& l) { return l.streaming_from_following; });
}

io::Task<> LocalInstanceTest::die_in_different_ways() {
    auto* a = co_await make("a", "127.0.65.5");
    auto* b = co_await make("b", "127.0.65.6");
    if (!co_await make_primary(a) || !co_await make_standby(b, a)) {
        co_return;
    }
    co_await expect_sql(a, "INSERT INTO t SELECT generate_series(1, 3000)", "");
    const auto written = (co_await a->pg.observe(1s)).lsn;
    co_await becomes(b, "has all", [&](const Local& l) { return l.received >= written; });
    // PostgreSQL dies alone (F8); the deadline isn't armed.
    const auto pid = living_postmaster(a->config.postgresql.data_dir);
    EXPECT_GT(pid, 0);
    kill(pid, SIGKILL);
    co_await becomes(a, "proven dead", [](const Local& l) { return l.tree_dead; });
    const auto dead = co_await a->pg.observe(1s);
    EXPECT_TRUE(dead.crashed);
    EXPECT_EQ(dead.state, ha::PgState::crashed);
    EXPECT_GE(dead.final_lsn, written);
    // What b received may end within a record, what it replayed doesn't.
    EXPECT_GE(dead.final_lsn, (co_await b->pg.observe(1s)).replayed);
    co_await becomes(b, "streams no more",
                     [](const Local& l) { return !l.streaming_from_following; });

    // Recovery in place, and the deadline of the page.
    if (!co_await job(a, a->pg.start(StartAs::primary, std::nullopt), "crash recovery")) {
        co_return;
    }
    EXPECT_EQ((co_await a->pg.observe(1s)).timeline, 1U);
    auto page = fencer::DeadlinePage::open(a->config.state_dir + "/deadline");
    EXPECT_TRUE(page.has_value());
    page->arm(clock_.now() + 200ms);
    co_await becomes(a, "killed by the deadline", [](const Local& l) { return l.tree_dead; });
    page->arm(Instant{});

    // A second object (an agent that was restarted) takes over what runs.
    if (!co_await job(a, a->pg.start(StartAs::primary, std::nullopt), "crash recovery")) {
        co_return;
    }
    LocalInstance second(loop_.executor(), clock_, a->config, "/proc/self/exe");
    check(co_await second.adopt(), "adopt");
    check(co_await second.configure(a->settings()), "configure");
    const auto adopted = co_await second.observe(1s);
    EXPECT_TRUE(adopted.postmaster && adopted.accepting && !adopted.tree_dead);
    EXPECT_EQ(adopted.role, ha::Role::primary);
    EXPECT_TRUE(second.fencer_status().has_value());
    check(co_await second.fence(5s), "fence by the second");
    co_await second.close();
    co_await becomes(a, "dead for the first too", [](const Local& l) { return l.tree_dead; });
}

io::Task<> LocalInstanceTest::refuse() {
    auto* a = co_await make("a", "127.0.65.7");
    auto* b = co_await make("b", "127.0.65.7");  // the same address
    EXPECT_FALSE(a->pg.start(StartAs::standby, std::nullopt));
    if (!co_await make_primary(a) || !co_await job(b, b->pg.clone(a->address()), "clone")) {
        co_return;
    }
    check(b->pg.start(StartAs::standby, a->address()), "start");
    co_await becomes(b, "refuses to start", [](const Local& l) { return !l.job.running; });
    const auto failed = co_await b->pg.observe(1s);
    EXPECT_NE(failed.job.error.find("Address already in use"), std::string::npos)
        << failed.job.error;
    EXPECT_NE(failed.job.error.find("change postgresql.listen"), std::string::npos)
        << failed.job.error;
    EXPECT_EQ(failed.state, ha::PgState::start_failed);
    EXPECT_TRUE(failed.tree_dead);
    EXPECT_EQ(failed.job.failures, 1);

    auto* c = co_await make("c", "127.0.65.8");
    check(c->pg.clone({.name = "nobody", .host = "127.0.65.9", .port = port_for_test}), "clone");
    co_await becomes(c, "gives up to clone", [](const Local& l) { return !l.job.running; });
    const auto unable = co_await c->pg.observe(1s);
    EXPECT_NE(unable.job.error, "");
    EXPECT_EQ(unable.data_dir, DataDir::empty);
}

TEST_F(LocalInstanceTest, FailsOverRewindsAndFollows) {
    run(&LocalInstanceTest::fail_over_and_back);
}
TEST_F(LocalInstanceTest, FinalLsnIsWhatACompleteStandbyHas) {
    run(&LocalInstanceTest::shut_down_cleanly);
}
TEST_F(LocalInstanceTest, DeathIsSeenHoweverItComes) {
    run(&LocalInstanceTest::die_in_different_ways);
}
TEST_F(LocalInstanceTest, WhatCannotWorkIsSaid) {
    run(&LocalInstanceTest::refuse);
}

}  // namespace
}  // namespace howdah::instance

int main(int argc, char** argv) {
    return howdah::instance::main_for_test(argc, argv);
}
