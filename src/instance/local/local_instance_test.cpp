#include "instance/local/local_instance.h"

#include <gtest/gtest.h>

#include <csignal>

#include "fencer/page.h"
#include "instance/local/local_fixture_for_test.h"
#include "instance/local/pg_process.h"
#include "io/files.h"
#include "pgclient/blocking.h"

// The life of a server: start, failover, the ways to die. Addresses 127.0.65.x.

namespace howdah::instance {
namespace {

class LocalInstanceTest : public LocalFixture {
public:
    io::Task<> fail_over_and_back();
    io::Task<> shut_down_cleanly();
    io::Task<> die_in_different_ways();
    io::Task<> refuse();
    io::Task<> tell_codes();
    io::Task<> ask_blocking();
    io::Task<> hide_a_promotion();
    io::Task<> stop_its_fencer();
    io::Task<> leave_unfinished_work();
    io::Task<DataDir> found_with_mark(const LocalNode* node, std::string mark);
    io::Task<std::unique_ptr<Connection>> session_at(const LocalNode* node, std::string password,
                                                     std::string* code = nullptr);
};

/// nullptr when it is refused, `code` says how.
io::Task<std::unique_ptr<Connection>> LocalInstanceTest::session_at(const LocalNode* node,
                                                                    std::string password,
                                                                    std::string* code) {
    const auto& pg = node->config.postgresql;
    auto opened = co_await Connection::open(clock_,
                                            {{"host", pg.listen_addresses},
                                             {"port", std::to_string(port_for_test)},
                                             {"user", pg.superuser.username},
                                             {"password", std::move(password)},
                                             {"dbname", "postgres"}},
                                            3s);
    if (!opened) {
        if (code != nullptr) {
            *code = opened.error().sqlstate;
        }
        co_return nullptr;
    }
    co_return *std::move(opened);
}

io::Task<> LocalInstanceTest::tell_codes() {
    auto* a = co_await make("a", "127.0.65.12");
    if (!co_await make_primary(a)) {
        co_return;
    }
    std::string code;
    EXPECT_EQ(co_await session_at(a, "wrong", &code), nullptr);
    EXPECT_EQ(code, "28P01");
    EXPECT_EQ(co_await session_at(a, "", &code), nullptr);
    EXPECT_EQ(code, "28P01") << "it asked for a password, which libpq alone says";
    const auto session = co_await session_at(a, a->config.postgresql.superuser.password);
    EXPECT_NE(session, nullptr);
    const auto refused = session ? co_await session->query("SELECT nonsense", {}, 3s) : Rows{};
    EXPECT_EQ(refused ? "" : refused.error().sqlstate, "42703");
    const auto gone = co_await Connection::open(
        clock_, {{"host", "127.0.65.99"}, {"port", std::to_string(port_for_test)}}, 3s);
    EXPECT_EQ(gone ? "connected" : gone.error().sqlstate, "") << "nobody answered";
}

/// The same server, asked by a thread that waits.
io::Task<> LocalInstanceTest::ask_blocking() {
    auto* a = co_await make("a", "127.0.65.41");
    if (!co_await make_primary(a)) {
        co_return;
    }
    const auto& superuser = a->config.postgresql.superuser;
    pgclient::Keywords keywords{{"host", "127.0.65.41"},
                                {"port", std::to_string(port_for_test)},
                                {"user", superuser.username},
                                {"password", "wrong"},
                                {"dbname", "postgres"}};
    const auto refused = pgclient::BlockingConnection::open(keywords, 3s);
    EXPECT_EQ(refused ? "" : refused.error().sqlstate, pgclient::sqlstate::invalid_password);
    keywords["password"] = superuser.password;
    auto session = pgclient::BlockingConnection::open(keywords, 3s);
    if (!session) {
        ADD_FAILURE() << session.error().message;
        co_return;
    }
    const auto answer = session->ask("SELECT $1::int AS n, NULL AS nothing", {"7"}, 3s).value();
    EXPECT_EQ(answer.columns.at(0).name, "n");
    EXPECT_EQ(answer.columns.at(0).type, 23U);
    EXPECT_EQ(answer.rows, (pgclient::Rows{{"7", std::nullopt}}));
    std::string heard;
    session->on_notice([&](std::string_view text) { heard = text; });
    EXPECT_TRUE(session->query("DO $$ BEGIN RAISE NOTICE 'it works'; END $$", {}, 3s));
    EXPECT_TRUE(heard.ends_with("it works")) << heard;
    EXPECT_EQ(session->query("SELECT nonsense", {}, 3s).error().sqlstate, "42703");
    EXPECT_FALSE(session->broken()) << "a refusal is an answer";
    EXPECT_EQ(session->query("COPY pg_class TO STDOUT", {}, 3s).error().code, Errc::unavailable);
    EXPECT_TRUE(session->broken());
    auto slow = pgclient::BlockingConnection::open(keywords, 3s);
    EXPECT_EQ(slow->query("SELECT pg_sleep(60)", {}, 100ms).error().code, Errc::timeout);
    EXPECT_TRUE(slow->broken());
}

/// The agent's login is refused when somebody promotes the server by hand.
io::Task<> LocalInstanceTest::hide_a_promotion() {
    auto* a = co_await make("a", "127.0.65.13");
    auto* b = co_await make("b", "127.0.65.14");
    if (!co_await make_primary(a) || !co_await make_standby(b, a)) {
        co_return;
    }
    const auto session = co_await session_at(b, b->config.postgresql.superuser.password);
    auto settings = b->settings();
    settings.pg_hba = {"host all all 127.0.0.0/8 reject",
                       "host replication replicator 127.0.0.0/8 scram-sha-256"};
    check(co_await b->pg.configure(settings), "configure");
    const auto end = clock_.now() + 15s;
    while ((co_await b->pg.observe(1s)).accepting && clock_.now() < end) {
        EXPECT_TRUE(
            co_await session->query("SELECT count(pg_terminate_backend(pid)) FROM "
                                    "pg_stat_activity WHERE application_name LIKE "
                                    "'Howdah%'",
                                    {}, 3s));
    }
    const auto locked_out = co_await b->pg.observe(1s);
    EXPECT_FALSE(locked_out.accepting);
    EXPECT_EQ(locked_out.role, ha::Role::standby) << "its signal file proves it";
    co_await becomes(b, "answers, if only to refuse",
                     [&](const Local& l) { return l.answered > locked_out.answered; });
    EXPECT_TRUE(io::write_file_atomically(b->config.postgresql.data_dir + "/promote", ""));
    kill(living_postmaster(b->config.postgresql.data_dir), SIGUSR1);
    co_await becomes(b, "may be writable",
                     [](const Local& l) { return l.role == ha::Role::primary; });
}

io::Task<> LocalInstanceTest::stop_its_fencer() {
    auto* a = co_await make("a", "127.0.65.15");
    if (!co_await make_primary(a)) {
        co_return;
    }
    const auto fencers = fencers_of(a->config.state_dir);
    EXPECT_EQ(fencers.size(), 1U);
    kill(fencers.at(0), SIGSTOP);
    co_await becomes(a, "tells of its fencer",
                     [](const Local& l) { return !l.fencer_trouble.empty(); });
    kill(fencers.at(0), SIGCONT);
    co_await becomes(a, "trusts it again", [](const Local& l) { return l.fencer_trouble.empty(); });
    kill(fencers.at(0), SIGSTOP);
    const auto since = clock_.now();
    check(co_await a->pg.fence(5s), "fence past the fencer");
    EXPECT_LT(clock_.now() - since, 1s);
    EXPECT_TRUE((co_await a->pg.observe(1s)).tree_dead);
    EXPECT_TRUE(processes_in(a->config.postgresql.data_dir).empty());
    EXPECT_TRUE(fencers_of(a->config.state_dir).empty());

    // A stop in order gets by, too.
    if (!co_await job(a, a->pg.start(StartAs::primary, std::nullopt), "start as primary")) {
        co_return;
    }
    kill(fencers_of(a->config.state_dir).at(0), SIGSTOP);
    co_await becomes(a, "tells of its fencer",
                     [](const Local& l) { return !l.fencer_trouble.empty(); });
    if (co_await job(a, a->pg.stop(StopMode::fast), "stop past the fencer")) {
        const auto stopped = co_await a->pg.observe(1s);
        EXPECT_TRUE(stopped.tree_dead);
        EXPECT_EQ(stopped.control.state, "shut down");
    }
}

/// What is removed as unfinished at an agent's start is what this agent left unfinished.
io::Task<> LocalInstanceTest::leave_unfinished_work() {
    auto* a = co_await make("a", "127.0.65.16");
    if (!co_await make_primary(a) || !co_await job(a, a->pg.stop(StopMode::fast), "stop fast")) {
        co_return;
    }
    EXPECT_FALSE(fs::exists(a->config.postgresql.data_dir + "/howdah.unfinished"));
    const auto ours = "unfinished copy of member a, state in " + a->config.state_dir + "\n";
    const auto of_another = "unfinished copy of member b, state in " + a->config.state_dir + "\n";
    EXPECT_EQ(co_await found_with_mark(a, of_another), DataDir::initialized);
    EXPECT_EQ(co_await found_with_mark(a, ours), DataDir::empty);
}

/// What another run of the agent makes of the data directory with this mark in it.
io::Task<DataDir> LocalInstanceTest::found_with_mark(const LocalNode* node, std::string mark) {
    EXPECT_TRUE(
        io::write_file_atomically(node->config.postgresql.data_dir + "/howdah.unfinished", mark));
    LocalInstance second(loop_.executor(), clock_, node->config, "/proc/self/exe");
    check(co_await second.adopt(), "adopt");
    const auto seen = co_await second.observe(1s);
    co_await second.close();
    co_return seen.data_dir;
}

io::Task<> LocalInstanceTest::fail_over_and_back() {
    auto* a = co_await make("node-a", "127.0.65.1");
    auto* b = co_await make("node-b", "127.0.65.2");
    if (!co_await make_primary(a)) {
        co_return;
    }
    co_await expect_sql(a,
                        "SELECT count(pg_create_physical_replication_slot(n)) FROM "
                        "unnest(ARRAY['barman', 'mine']) n",
                        "2");
    auto settings = a->settings();
    settings.foreign_slots = {"barman"};
    check(co_await a->pg.configure(settings), "configure");
    check(co_await a->pg.keep_slots({"node-a", "node-b"}), "slots");
    co_await expect_sql(a,
                        "SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM "
                        "pg_replication_slots",
                        "barman node_b");
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

    if (!co_await job(b, b->pg.promote(0), "promote")) {
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
    if (!co_await job(b, b->pg.promote(0), "promote")) {
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
    EXPECT_FALSE(adopted.unfenced);
    // One that has another page in its hands would not kill at the deadline.
    page->arm(clock_.now() + 1h);
    fs::rename(a->config.state_dir + "/deadline", a->config.state_dir + "/another");
    LocalInstance third(loop_.executor(), clock_, a->config, "/proc/self/exe");
    check(co_await third.adopt(), "adopt");
    EXPECT_TRUE((co_await third.observe(1s)).unfenced);
    co_await third.close();
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

TEST_F(LocalInstanceTest, ARefusalCarriesItsCode) {
    run(&LocalInstanceTest::tell_codes);
}
TEST_F(LocalInstanceTest, AThreadAsksAsCoroutinesDo) {
    run(&LocalInstanceTest::ask_blocking);
}
TEST_F(LocalInstanceTest, WhatCannotBeAskedMayBeWritable) {
    run(&LocalInstanceTest::hide_a_promotion);
}
TEST_F(LocalInstanceTest, AFencerThatDoesNotAnswerIsToldAndPassedBy) {
    run(&LocalInstanceTest::stop_its_fencer);
}
TEST_F(LocalInstanceTest, OnlyItsOwnUnfinishedWorkIsRemoved) {
    run(&LocalInstanceTest::leave_unfinished_work);
}

}  // namespace
}  // namespace howdah::instance

int main(int argc, char** argv) {
    return howdah::instance::main_for_test(argc, argv);
}
