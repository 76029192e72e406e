#include <gtest/gtest.h>

#include "instance/local/local_fixture_for_test.h"
#include "io/files.h"

// The seal, and who is waited for at commit. Addresses 127.0.62.x.

namespace howdah::instance {
namespace {

class LocalSyncTest : public LocalFixture {
public:
    io::Task<> loses_its_walsender(LocalNode* primary);
    io::Task<> expect_silence(LocalNode* primary, LocalNode* standby, ha::WalPosition at);
    io::Task<ha::WalPosition> seal(LocalNode* node) {
        const auto since = clock_.now();
        const auto sealed = co_await node->pg.stop_receiving(3s);
        fmt::print("{:>30} {} ms\n", node->config.name + " seal",
                   to_millis(clock_.now() - since).count());
        check(sealed ? Result<>{} : std::unexpected(sealed.error()), "seal");
        co_return sealed.value_or(ha::WalPosition{});
    }
    io::Task<> seal_while_the_primary_writes();
    io::Task<> seal_while_replay_is_paused();
    io::Task<> seal_what_is_down();
    io::Task<> change_synchronous_standbys();
    io::Task<> change_them_under_load();
    io::Task<> commit_on_and_on(LocalNode* node);

    int commits_ = 0;
};

/// The walreceiver's end is proven by the seal; the walsender at the other end of its connection
/// has to be scheduled before it sees that, and the row leaves the view after it.
io::Task<> LocalSyncTest::loses_its_walsender(LocalNode* primary) {
    const auto until = clock_.now() + 5s;
    auto left = co_await sql(primary, "SELECT count(*) FROM pg_stat_replication");
    while (left != "0" && clock_.now() < until) {
        (void)co_await clock_.until(clock_.now() + 5ms);
        left = co_await sql(primary, "SELECT count(*) FROM pg_stat_replication");
    }
    EXPECT_EQ(left.value_or("no answer"), "0");
}

/// Nothing streams from `primary` for a while, though it writes.
io::Task<> LocalSyncTest::expect_silence(LocalNode* primary, LocalNode* standby,
                                         ha::WalPosition at) {
    co_await loses_its_walsender(primary);
    const auto until = clock_.now() + 1200ms;  // more than two retries of a standby
    while (clock_.now() < until) {
        co_await expect_sql(primary, "INSERT INTO t VALUES (7)", "");
        co_await expect_sql(primary, "SELECT count(*) FROM pg_stat_replication", "0");
        EXPECT_EQ((co_await standby->pg.observe(1s)).lsn, at.flushed);
        (void)co_await clock_.until(clock_.now() + 50ms);
    }
}

io::Task<> LocalSyncTest::seal_while_the_primary_writes() {
    auto* a = co_await make("a", "127.0.62.1");
    auto* b = co_await make("b", "127.0.62.2");
    if (!co_await make_primary(a)) {
        co_return;
    }
    check(co_await a->pg.keep_slots({"a", "b"}), "slots");
    if (!co_await make_standby(b, a)) {
        co_return;
    }
    EXPECT_FALSE(co_await a->pg.stop_receiving(1s)) << "a running primary is not sealed";
    co_await expect_sql(a, "INSERT INTO t SELECT generate_series(1, 20000)", "");
    const auto written = (co_await a->pg.observe(1s)).lsn;
    co_await becomes(b, "has all", [&](const Local& l) { return l.received >= written; });
    const auto sealed = co_await seal(b);
    EXPECT_EQ(sealed.timeline, 1U);
    EXPECT_GE(sealed.flushed, written);
    const auto& pgpass = b->config.postgresql.pgpass;
    EXPECT_TRUE(fs::exists(pgpass) && fs::file_size(pgpass) == 0);
    co_await expect_silence(a, b, sealed);
    // Settings that come meanwhile don't break the seal, nor does a second one.
    auto settings = b->settings();
    settings.parameters["work_mem"] = "5MB";
    check(co_await b->pg.configure(settings), "configure");
    EXPECT_EQ((co_await seal(b)).flushed.text(), sealed.flushed.text());
    if (!co_await job(b, b->pg.stop(StopMode::fast), "stop fast")) {
        co_return;
    }
    // What was received may have ended within a record.
    const auto down = co_await seal(b);
    EXPECT_GE(down.flushed.text(), written.text());
    EXPECT_LE(down.flushed.text(), sealed.flushed.text());
    if (!co_await job(b, b->pg.start(StartAs::standby, std::nullopt), "start at nobody")) {
        co_return;
    }
    // Nothing was received in this life of the server; what it has is told all the same.
    EXPECT_EQ((co_await seal(b)).flushed.text(), down.flushed.text());
    check(co_await b->pg.follow(a->address()), "follow");
    co_await becomes(b, "streams", [](const Local& l) { return l.streaming_from_following; });
}

io::Task<> LocalSyncTest::seal_while_replay_is_paused() {
    auto* a = co_await make("a", "127.0.62.3");
    auto* b = co_await make("b", "127.0.62.4");
    if (!co_await make_primary(a)) {
        co_return;
    }
    check(co_await a->pg.keep_slots({"a", "b"}), "slots");
    if (!co_await make_standby(b, a)) {
        co_return;
    }
    co_await expect_sql(b, "SELECT pg_wal_replay_pause()", "");
    co_await expect_sql(a, "INSERT INTO t SELECT generate_series(1, 20000)", "");
    const auto written = (co_await a->pg.observe(1s)).lsn;
    co_await becomes(b, "has all", [&](const Local& l) {
        return l.received >= written && l.replay_paused && l.replayed < written;
    });
    const auto sealed = co_await seal(b);
    EXPECT_GE(sealed.flushed, written);
    co_await expect_silence(a, b, sealed);
    co_await expect_sql(b, "SELECT pg_wal_replay_resume()", "");
    co_await becomes(b, "replays the rest", [&](const Local& l) { return l.replayed >= written; });
    co_await expect_silence(a, b, sealed);
}

io::Task<> LocalSyncTest::seal_what_is_down() {
    auto* a = co_await make("a", "127.0.62.5");
    auto* b = co_await make("b", "127.0.62.6");
    EXPECT_FALSE(co_await b->pg.stop_receiving(1s)) << "nothing is there to seal";
    if (!co_await make_primary(a)) {
        co_return;
    }
    check(co_await a->pg.keep_slots({"a", "b"}), "slots");
    if (!co_await make_standby(b, a)) {
        co_return;
    }
    co_await expect_sql(a, "INSERT INTO t SELECT generate_series(1, 20000)", "");
    // A record's end. The primary's flush may lie within a later record, which no directory tells.
    const auto message = co_await sql(a, "SELECT pg_logical_emit_message(true, '', '')");
    const auto written = pg::Lsn::parse(message.value_or("")).value_or(pg::Lsn{});
    EXPECT_GT(written, pg::Lsn{});
    co_await becomes(b, "has all", [&](const Local& l) { return l.received >= written; });
    check(co_await b->pg.fence(5s), "fence");
    const auto sealed = co_await seal(b);
    EXPECT_EQ(sealed.timeline, 1U);
    EXPECT_GE(sealed.flushed, written);
    const auto text = io::read_file(b->config.postgresql.data_dir + "/postgresql.conf");
    EXPECT_TRUE(text && text->find("primary_conninfo") == std::string::npos);
    EXPECT_FALSE((co_await b->pg.observe(1s)).following);
    if (!co_await job(b, b->pg.start(StartAs::standby, std::nullopt), "start at nobody")) {
        co_return;
    }
    co_await expect_silence(a, b, sealed);
}

io::Task<> LocalSyncTest::change_synchronous_standbys() {
    auto* a = co_await make("a", "127.0.62.7");
    auto* b = co_await make("b", "127.0.62.8");
    if (!co_await make_primary(a)) {
        co_return;
    }
    check(co_await a->pg.keep_slots({"a", "b"}), "slots");
    if (!co_await make_standby(b, a)) {
        co_return;
    }
    EXPECT_EQ((co_await a->pg.observe(1s)).sync_standby_names, "");
    EXPECT_FALSE(co_await a->pg.set_sync_standbys("ANY 1 (b", 1s));
    EXPECT_EQ((co_await a->pg.observe(1s)).sync_standby_names, "");
    co_await expect_sql(a, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "");
    for (const auto* names : {"b", "ANY 1 (b, c)", "FIRST 2 (c, b)", "", "ANY 1 (b)"}) {
        const auto since = clock_.now();
        check(co_await a->pg.set_sync_standbys(names, 3s), names);
        fmt::print("{:>30} {} ms\n", names, to_millis(clock_.now() - since).count());
        const auto seen = co_await a->pg.observe(1s);
        EXPECT_EQ(seen.sync_standby_names, names);
        EXPECT_EQ(seen.walsenders.size(), 1U);
        const std::string_view text(names);
        EXPECT_EQ(seen.walsenders.at(0).sync_state, text.empty()              ? "async"
                                                    : text.starts_with("ANY") ? "quorum"
                                                                              : "sync")
            << names;
    }
    co_await expect_sql(a, "INSERT INTO t VALUES (2)", "");
    const auto wanted = (co_await a->pg.observe(1s)).lsn;
    check(co_await a->pg.await_sync_flush(wanted, 1, {"b", "c"}, 3s), "barrier");
    EXPECT_FALSE(co_await a->pg.await_sync_flush(wanted, 2, {"b", "c"}, 50ms));

    // Without its standby a commit waits; over a restart of PostgreSQL and of the agent, too.
    check(co_await b->pg.fence(5s), "fence");
    check(co_await a->pg.fence(5s), "fence");
    EXPECT_EQ((co_await a->pg.observe(1s)).sync_standby_names, "");
    LocalInstance second(loop_.executor(), clock_, a->config, "/proc/self/exe");
    check(co_await second.adopt(), "adopt");
    check(co_await second.configure(a->settings()), "configure");
    check(second.start(StartAs::primary, std::nullopt), "start");
    for (auto seen = co_await second.observe(1s); seen.job.running;) {
        (void)co_await clock_.until(clock_.now() + 5ms);
        seen = co_await second.observe(1s);
    }
    EXPECT_EQ((co_await second.observe(1s)).sync_standby_names, "ANY 1 (b)");
    EXPECT_FALSE(co_await sql(a, "SET statement_timeout = 0; INSERT INTO t VALUES (3)", 300ms));
    check(co_await second.set_sync_standbys(std::nullopt, 3s), "as configured");
    co_await expect_sql(a, "INSERT INTO t VALUES (4)", "");
    co_await second.close();
    check(co_await a->pg.adopt(), "adopt");
}

/// One client that commits as fast as it can.
io::Task<> LocalSyncTest::commit_on_and_on(LocalNode* node) {
    const auto& pg = node->config.postgresql;
    const pgclient::Keywords keywords{{"host", pg.listen_addresses},
                                      {"port", std::to_string(port_for_test)},
                                      {"user", pg.superuser.username},
                                      {"password", pg.superuser.password},
                                      {"dbname", "postgres"}};
    const auto connection = co_await Connection::open(clock_, keywords, 3s);
    EXPECT_TRUE(connection);
    while (connection && co_await (*connection)->query("INSERT INTO t VALUES (1)", {}, 10s)) {
        ++commits_;
    }
}

io::Task<> LocalSyncTest::change_them_under_load() {
    auto* a = co_await make("a", "127.0.62.13");
    auto* b = co_await make("b", "127.0.62.14");
    if (!co_await make_primary(a)) {
        co_return;
    }
    check(co_await a->pg.keep_slots({"a", "b"}), "slots");
    if (!co_await make_standby(b, a)) {
        co_return;
    }
    io::Scope clients(loop_.executor());
    for (int i = 0; i < 4; ++i) {
        clients.spawn([this, a] { return commit_on_and_on(a); });
    }
    const auto until = clock_.now() + 10s;
    while (commits_ < 100 && clock_.now() < until) {
        (void)co_await clock_.until(clock_.now() + 5ms);
    }
    for (const auto* names : {"ANY 1 (b)", "", "b", "ANY 1 (b, c)", ""}) {
        const auto since = clock_.now();
        check(co_await a->pg.set_sync_standbys(names, 5s), names);
        fmt::print("{:>30} {} ms, {} commits\n", names, to_millis(clock_.now() - since).count(),
                   commits_);
    }
    const auto sealed = co_await seal(b);
    EXPECT_GT(sealed.flushed, pg::Lsn{});
    co_await loses_its_walsender(a);
    EXPECT_EQ((co_await b->pg.observe(1s)).received, sealed.flushed);
    EXPECT_GT(commits_, 100);
    co_await clients.close();
}

TEST_F(LocalSyncTest, ASealedStandbyReceivesNoMore) {
    run(&LocalSyncTest::seal_while_the_primary_writes);
}
TEST_F(LocalSyncTest, AStandbyWhoseReplayIsPausedIsSealedToo) {
    run(&LocalSyncTest::seal_while_replay_is_paused);
}
TEST_F(LocalSyncTest, ADeadStandbyTellsWhatItsDirectoryHolds) {
    run(&LocalSyncTest::seal_what_is_down);
}
TEST_F(LocalSyncTest, TheyTakeEffectUnderLoadToo) {
    run(&LocalSyncTest::change_them_under_load);
}
TEST_F(LocalSyncTest, SynchronousStandbysTakeEffectAndStay) {
    run(&LocalSyncTest::change_synchronous_standbys);
}

}  // namespace
}  // namespace howdah::instance
