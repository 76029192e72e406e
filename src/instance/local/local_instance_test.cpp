#include "instance/local/local_instance.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "fencer/page.h"
#include "instance/local/local_node_for_test.h"
#include "instance/local/pg_process.h"
#include "io/files.h"
#include "io/loop.h"

// Real PostgreSQL servers under real fencers (this program is the fencer's binary too), on
// 127.0.65.x.

namespace howdah::instance {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto port = port_for_test;

pid_t parent_of(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("PPid:")) {
            return std::stoi(line.substr(5));
        }
    }
    return 0;
}

class LocalInstanceTest : public testing::Test {
public:
    LocalInstanceTest() {
        char name[] = "/tmp/howdah-local-XXXXXX";
        root_ = mkdtemp(name);
    }
    ~LocalInstanceTest() override { fs::remove_all(root_); }

    /// Runs `body` to its end; every node is fenced and closed afterwards, whatever it found.
    void run(io::Task<> (LocalInstanceTest::*body)()) { loop_.run(around(body)); }

    io::Task<> around(io::Task<> (LocalInstanceTest::*body)()) {
        co_await (this->*body)();
        for (auto& node : nodes_) {
            EXPECT_TRUE(co_await node->pg.fence(10s)) << node->config.name;
            co_await node->pg.close();
        }
        nodes_.clear();
    }

    io::Task<LocalNode*> make(std::string name, std::string host, std::string bin_dir = "") {
        nodes_.push_back(
            std::make_unique<LocalNode>(loop_.executor(), clock_, root_, name, host, bin_dir));
        auto* node = nodes_.back().get();
        check(co_await node->pg.adopt(), "adopt");
        check(co_await node->pg.configure(node->settings()), "configure");
        co_return node;
    }

    /// How many entries of the test's folder begin with `prefix`.
    std::int64_t count(const std::string& prefix) const {
        return std::count_if(fs::directory_iterator(root_), fs::directory_iterator(),
                             [&](const auto& entry) {
                                 return entry.path().filename().string().starts_with(prefix);
                             });
    }

    /// A folder of PostgreSQL's programs in which pg_rewind is `script`.
    std::string programs_with_rewind(const std::string& script) const {
        const auto real = find_bin_dir("", 15).value();
        const auto folder = root_ + "/bin";
        fs::remove_all(folder);
        fs::create_directory(folder);
        for (const auto& program : fs::directory_iterator(real)) {
            const auto name = program.path().filename();
            if (name != "pg_rewind") {
                fs::create_symlink(program.path(), folder / name);
            }
        }
        EXPECT_TRUE(io::write_file_atomically(folder + "/pg_rewind", "#!/bin/sh\n" + script, 0700));
        return folder;
    }

    static void check(const Result<>& result, std::string_view what) {
        EXPECT_TRUE(result) << what << ": "
                            << (result ? "" : result.error().message + " " + result.error().hint);
    }

    /// Waits for the job that `begun` began.
    io::Task<bool> job(LocalNode* node, Result<> begun, std::string what) {
        check(begun, what);
        const auto since = clock_.now();
        while (begun && clock_.now() < since + 40s) {
            const auto local = co_await node->pg.observe(1s);
            if (!local.job.running) {
                EXPECT_EQ(local.job.error, "") << what;
                fmt::print("{:>30} {} ms\n", node->config.name + " " + what,
                           to_millis(clock_.now() - since).count());
                co_return local.job.error.empty();
            }
            (void)co_await clock_.until(clock_.now() + 5ms);
        }
        ADD_FAILURE() << what << " did not end";
        co_return false;
    }

    template <class Condition>
    io::Task<bool> becomes(LocalNode* node, std::string what, Condition condition) {
        const auto since = clock_.now();
        while (clock_.now() < since + 15s) {
            if (condition(co_await node->pg.observe(1s))) {
                fmt::print("{:>30} {} ms\n", node->config.name + " " + what,
                           to_millis(clock_.now() - since).count());
                co_return true;
            }
            (void)co_await clock_.until(clock_.now() + 5ms);
        }
        ADD_FAILURE() << node->config.name << " never " << what;
        co_return false;
    }

    io::Task<> expect_silence(LocalNode* primary, LocalNode* standby, ha::WalPosition at);
    io::Task<std::string> failing_rewind(LocalNode* node, LocalNode* from);
    static std::vector<std::string> newest_divergent_wal(const LocalNode* node);
    io::Task<ha::WalPosition> seal(LocalNode* node) {
        const auto since = clock_.now();
        const auto sealed = co_await node->pg.stop_receiving(3s);
        fmt::print("{:>30} {} ms\n", node->config.name + " seal",
                   to_millis(clock_.now() - since).count());
        check(sealed ? Result<>{} : std::unexpected(sealed.error()), "seal");
        co_return sealed.value_or(ha::WalPosition{});
    }
    io::Task<Result<std::string>> sql(LocalNode* node, std::string text, Nanos limit = 10s) {
        const auto& pg = node->config.postgresql;
        HD_CO_TRY(const auto connection,
                  co_await Connection::open(clock_,
                                            {{"host", pg.listen_addresses},
                                             {"port", std::to_string(port)},
                                             {"user", pg.superuser.username},
                                             {"password", pg.superuser.password},
                                             {"dbname", "postgres"}},
                                            3s));
        HD_CO_TRY(const auto rows, co_await connection->query(std::move(text), {}, limit));
        co_return rows.empty() || rows[0].empty() ? "" : rows[0][0].value_or("");
    }
    io::Task<> expect_sql(LocalNode* node, std::string text, std::string expected) {
        const auto got = co_await sql(node, text);
        EXPECT_TRUE(got) << text << ": " << (got ? "" : got.error().message);
        EXPECT_EQ(got.value_or(""), expected) << text;
    }

    /// initdb, start as primary, roles, one table.
    io::Task<bool> make_primary(LocalNode* node) {
        const config::Bootstrap how{
            .initdb = {"--encoding=UTF8", "--locale=C", "--no-sync"},
            .users = {{.name = "app", .password = "app", .options = {"createdb"}}}};
        if (!co_await job(node, node->pg.initialize(how), "initdb") ||
            !co_await job(node, node->pg.start(StartAs::primary, std::nullopt),
                          "start as primary")) {
            co_return false;
        }
        const auto users = co_await node->pg.create_users(how);
        check(users, "create users");
        co_await expect_sql(node, "CREATE TABLE t(i int); INSERT INTO t VALUES (1)", "");
        co_return users.has_value();
    }

    io::Task<bool> make_standby(LocalNode* node, LocalNode* of) {
        if (!co_await job(node, node->pg.clone(of->address()), "clone") ||
            !co_await job(node, node->pg.start(StartAs::standby, of->address()),
                          "start as standby")) {
            co_return false;
        }
        co_return co_await becomes(node, "streams",
                                   [](const Local& l) { return l.streaming_from_following; });
    }

    io::Task<> fail_over_and_back();
    io::Task<> shut_down_cleanly();
    io::Task<> die_in_different_ways();
    io::Task<> lose_the_fencer_and_rewind_without_pg_rewind();
    io::Task<> fail_to_rewind();
    io::Task<> refuse();
    io::Task<> hang();
    io::Task<> lose_the_disk();
    io::Task<> seal_while_the_primary_writes();
    io::Task<> seal_while_replay_is_paused();
    io::Task<> seal_what_is_down();
    io::Task<> change_synchronous_standbys();

    io::Loop loop_{};
    io::SystemClock clock_{};
    std::string root_;
    std::vector<std::unique_ptr<LocalNode>> nodes_{};
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

io::Task<> LocalInstanceTest::lose_the_fencer_and_rewind_without_pg_rewind() {
    auto* a = co_await make("a", "127.0.65.10");
    auto* b = co_await make("b", "127.0.65.11");
    if (!co_await make_primary(a) || !co_await make_standby(b, a) ||
        !co_await job(b, b->pg.promote(), "promote")) {
        co_return;
    }
    co_await expect_sql(a, "INSERT INTO t VALUES (100)", "");
    const auto fencer = parent_of(living_postmaster(a->config.postgresql.data_dir));
    EXPECT_GT(fencer, 1);
    kill(fencer, SIGKILL);
    co_await becomes(a, "dead without a fencer", [](const Local& l) { return l.tree_dead; });
    EXPECT_TRUE(processes_in(a->config.postgresql.data_dir).empty());
    EXPECT_GT((co_await a->pg.observe(1s)).final_lsn, pg::Lsn{});

    auto settings = a->settings();
    settings.use_pg_rewind = false;
    check(co_await a->pg.configure(settings), "configure");
    check(co_await a->pg.check_divergence(b->address()), "compare");
    const auto diverged = co_await a->pg.observe(1s);
    EXPECT_TRUE(diverged.needs_rewind);
    EXPECT_FALSE(diverged.rewind_possible);
    if (!co_await job(a, a->pg.rewind(b->address()), "replace")) {
        co_return;
    }
    const auto names = fs::directory_iterator(root_);
    EXPECT_EQ(std::count_if(begin(names), end(names),
                            [](const auto& e) {
                                return e.path().filename().string().starts_with("a.diverged-");
                            }),
              1);
    if (!co_await job(a, a->pg.start(StartAs::standby, b->address()), "start as standby") ||
        !co_await becomes(a, "streams",
                          [](const Local& l) { return l.streaming_from_following; })) {
        co_return;
    }
    // The WAL ends with its last segment: pg_waldump must not wait for the next one.
    co_await expect_sql(b, "CHECKPOINT", "");
    EXPECT_TRUE(co_await sql(b, "SELECT pg_switch_wal()"));
    const auto since = clock_.now();
    check(co_await b->pg.fence(5s), "fence");
    EXPECT_LT(clock_.now() - since, 2s);
    EXPECT_GT((co_await b->pg.observe(1s)).final_lsn, pg::Lsn{});
}

io::Task<> LocalInstanceTest::fail_to_rewind() {
    const auto bin_dir = programs_with_rewind("kill -9 $(head -1 " + root_ +
                                              "/b/postmaster.pid); echo not today; exit 1\n");
    auto* a = co_await make("a", "127.0.62.11", bin_dir);
    auto* b = co_await make("b", "127.0.62.12", bin_dir);
    if (!co_await make_primary(a) || !co_await make_standby(b, a) ||
        !co_await job(b, b->pg.promote(), "promote")) {
        co_return;
    }
    co_await expect_sql(a, "INSERT INTO t VALUES (100)", "");
    check(co_await a->pg.fence(5s), "fence");
    check(co_await a->pg.check_divergence(b->address()), "compare");
    const auto& data_dir = a->config.postgresql.data_dir;
    fs::create_directory(data_dir + ".diverged-20200101T000000Z");

    // The source dies meanwhile: the fault may have been its own.
    EXPECT_NE((co_await failing_rewind(a, b)).find("the source is lost"), std::string::npos);
    EXPECT_EQ((co_await a->pg.observe(1s)).data_dir, DataDir::initialized);
    co_await becomes(b, "is dead", [](const Local& l) { return l.tree_dead; });
    if (!co_await job(b, b->pg.start(StartAs::primary, std::nullopt), "start as primary")) {
        co_return;
    }
    (void)programs_with_rewind("echo not today; exit 1\n");

    // Without room for both the directory stays, and what is missing is said.
    a->pg.measure_room_with([](const std::string&) { return 100ULL << 20U; });
    const auto kept = newest_divergent_wal(a);
    EXPECT_GT(kept.size(), 1U);
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto error = co_await failing_rewind(a, b);
        EXPECT_NE(error.find("not today"), std::string::npos) << error;
        EXPECT_NE(error.find("no room beside the diverged directory: "), std::string::npos)
            << error;
        EXPECT_NE(error.find("100 MB are free; hint: make room"), std::string::npos) << error;
    }
    EXPECT_EQ(newest_divergent_wal(a), kept) << "what the first attempt found is what counts";
    EXPECT_EQ((co_await a->pg.observe(1s)).job.failures, 3);
    EXPECT_TRUE((co_await a->pg.observe(1s)).needs_rewind);
    EXPECT_EQ(count("a.diverged-2020"), 1);

    // With room it is set aside, and one is enough.
    a->pg.measure_room_with(free_bytes_at);
    if (!co_await job(a, a->pg.rewind(b->address()), "replace")) {
        co_return;
    }
    EXPECT_EQ(count("a.diverged-"), 1);
    EXPECT_EQ(count("a.diverged-2020"), 0);
    if (!co_await job(a, a->pg.start(StartAs::standby, b->address()), "start as standby") ||
        !co_await becomes(a, "streams",
                          [](const Local& l) { return l.streaming_from_following; }) ||
        !co_await job(a, a->pg.promote(), "promote")) {
        co_return;
    }
    co_await expect_sql(a, "SELECT count(*) FROM t WHERE i = 100", "0");

    // Where it may, it is removed instead.
    co_await expect_sql(b, "INSERT INTO t VALUES (200)", "");
    check(co_await b->pg.fence(5s), "fence");
    auto settings = b->settings();
    settings.remove_data_directory_on_rewind_failure = true;
    check(co_await b->pg.configure(settings), "configure");
    b->pg.measure_room_with([](const std::string&) { return 0ULL; });
    check(co_await b->pg.check_divergence(a->address()), "compare");
    EXPECT_TRUE((co_await b->pg.observe(1s)).needs_rewind);
    if (!co_await job(b, b->pg.rewind(a->address()), "replace")) {
        co_return;
    }
    EXPECT_EQ(count("b.diverged-"), 0);
    EXPECT_GT(newest_divergent_wal(b).size(), 1U) << "its WAL is kept all the same";
    if (co_await job(b, b->pg.start(StartAs::standby, a->address()), "start as standby")) {
        co_await becomes(b, "streams", [](const Local& l) { return l.streaming_from_following; });
        co_await expect_sql(b, "SELECT count(*) FROM t WHERE i = 200", "0");
    }
}

io::Task<std::string> LocalInstanceTest::failing_rewind(LocalNode* node, LocalNode* from) {
    check(node->pg.rewind(from->address()), "rewind");
    co_await becomes(node, "fails to rewind", [](const Local& l) { return !l.job.running; });
    co_return (co_await node->pg.observe(1s)).job.error;
}

/// The folder's name, and what is in it.
std::vector<std::string> LocalInstanceTest::newest_divergent_wal(const LocalNode* node) {
    std::vector<std::string> names;
    for (const auto& folder : fs::directory_iterator(node->config.state_dir)) {
        if (folder.path().filename().string().starts_with("divergent-wal-")) {
            names.push_back(folder.path().filename());
            for (const auto& file : fs::directory_iterator(folder)) {
                names.push_back(file.path().filename());
            }
        }
    }
    std::ranges::sort(names);
    return names;
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
    check(c->pg.clone({.name = "nobody", .host = "127.0.65.9", .port = port}), "clone");
    co_await becomes(c, "gives up to clone", [](const Local& l) { return !l.job.running; });
    const auto unable = co_await c->pg.observe(1s);
    EXPECT_NE(unable.job.error, "");
    EXPECT_EQ(unable.data_dir, DataDir::empty);
}

/// Nothing streams to `primary` for a while, though it writes.
io::Task<> LocalInstanceTest::expect_silence(LocalNode* primary, LocalNode* standby,
                                             ha::WalPosition at) {
    const auto until = clock_.now() + 1200ms;  // more than two retries of a standby
    while (clock_.now() < until) {
        co_await expect_sql(primary, "INSERT INTO t VALUES (7)", "");
        co_await expect_sql(primary, "SELECT count(*) FROM pg_stat_replication", "0");
        EXPECT_EQ((co_await standby->pg.observe(1s)).lsn, at.flushed);
        (void)co_await clock_.until(clock_.now() + 50ms);
    }
}

io::Task<> LocalInstanceTest::seal_while_the_primary_writes() {
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
    EXPECT_TRUE(down.flushed >= written && down.flushed <= sealed.flushed);
    if (!co_await job(b, b->pg.start(StartAs::standby, std::nullopt), "start at nobody")) {
        co_return;
    }
    // Nothing was received in this life of the server; what it has is told all the same.
    EXPECT_EQ((co_await seal(b)).flushed.text(), down.flushed.text());
    check(co_await b->pg.follow(a->address()), "follow");
    co_await becomes(b, "streams", [](const Local& l) { return l.streaming_from_following; });
}

io::Task<> LocalInstanceTest::seal_while_replay_is_paused() {
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

io::Task<> LocalInstanceTest::seal_what_is_down() {
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
    const auto written = (co_await a->pg.observe(1s)).lsn;
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

io::Task<> LocalInstanceTest::change_synchronous_standbys() {
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

/// Connections that wait at `host`, accepted by the kernel and by nobody else.
int queued_at(const std::string& host) {
    std::ifstream table("/proc/net/tcp");
    std::uint32_t address = 0;
    inet_pton(AF_INET, host.c_str(), &address);
    const auto wanted = fmt::format("{:08X}:{:04X}", address, port);
    std::string line;
    for (std::getline(table, line); std::getline(table, line);) {
        std::istringstream words(line);
        std::string slot, local, remote, state, queues;
        words >> slot >> local >> remote >> state >> queues;
        if (local == wanted && state == "0A") {
            return std::stoi(queues.substr(queues.find(':') + 1), nullptr, 16);
        }
    }
    return -1;
}

io::Task<> LocalInstanceTest::hang() {
    auto* a = co_await make("a", "127.0.62.9");
    if (!co_await make_primary(a)) {
        co_return;
    }
    const auto pid = living_postmaster(a->config.postgresql.data_dir);
    kill(pid, SIGSTOP);
    const auto stopped = clock_.now();
    co_await becomes(a, "answers no more",
                     [&](const Local& l) { return clock_.now() - l.answered > 4s; });
    // Who is connected is served: only the probe tells.
    const auto hung = co_await a->pg.observe(1s);
    EXPECT_TRUE(hung.postmaster && hung.accepting);
    EXPECT_LT(hung.answered, stopped + 1s);
    // Once the agent's own session is gone as well, nothing piles up at the door.
    EXPECT_EQ(queued_at("127.0.62.9"), 1);
    for (const auto child : processes_in(a->config.postgresql.data_dir)) {
        const auto title = io::read_file(fmt::format("/proc/{}/cmdline", child));
        if (title && title->find("idle") != std::string::npos) {
            kill(child, SIGTERM);
        }
    }
    for (int i = 0; i < 5; ++i) {
        (void)co_await a->pg.observe(100ms);
    }
    EXPECT_FALSE((co_await a->pg.observe(100ms)).accepting);
    EXPECT_EQ(queued_at("127.0.62.9"), 1);
    kill(pid, SIGCONT);
    co_await becomes(a, "answers again",
                     [&](const Local& l) { return clock_.now() - l.answered < 1s; });
    co_await becomes(a, "accepts again", [](const Local& l) { return l.accepting; });
}

io::Task<> LocalInstanceTest::lose_the_disk() {
    auto* a = co_await make("a", "127.0.62.10");
    if (!co_await make_primary(a)) {
        co_return;
    }
    const auto& data_dir = a->config.postgresql.data_dir;
    EXPECT_EQ((co_await a->pg.observe(1s)).disk_trouble, "");
    fs::permissions(data_dir, fs::perms::owner_read | fs::perms::owner_exec);
    co_await becomes(a, "loses its disk", [](const Local& l) { return !l.disk_trouble.empty(); });
    const auto sick = co_await a->pg.observe(1s);
    EXPECT_TRUE(sick.accepting);
    EXPECT_EQ(sick.disk_trouble, data_dir + ": no file can be made: Permission denied");
    fs::permissions(data_dir, fs::perms::owner_all);
    co_await becomes(a, "has it back", [](const Local& l) { return l.disk_trouble.empty(); });
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
TEST_F(LocalInstanceTest, ADirectoryThatCannotBeRewoundIsSetAside) {
    run(&LocalInstanceTest::lose_the_fencer_and_rewind_without_pg_rewind);
}
TEST_F(LocalInstanceTest, ARewindThatFailsLosesNothingItShouldKeep) {
    run(&LocalInstanceTest::fail_to_rewind);
}
TEST_F(LocalInstanceTest, WhatCannotWorkIsSaid) {
    run(&LocalInstanceTest::refuse);
}

TEST_F(LocalInstanceTest, ASealedStandbyReceivesNoMore) {
    run(&LocalInstanceTest::seal_while_the_primary_writes);
}
TEST_F(LocalInstanceTest, AStandbyWhoseReplayIsPausedIsSealedToo) {
    run(&LocalInstanceTest::seal_while_replay_is_paused);
}
TEST_F(LocalInstanceTest, ADeadStandbyTellsWhatItsDirectoryHolds) {
    run(&LocalInstanceTest::seal_what_is_down);
}
TEST_F(LocalInstanceTest, SynchronousStandbysTakeEffectAndStay) {
    run(&LocalInstanceTest::change_synchronous_standbys);
}

TEST_F(LocalInstanceTest, AHungPostmasterIsToldByANewConnection) {
    run(&LocalInstanceTest::hang);
}
TEST_F(LocalInstanceTest, ADiskThatTakesNoWritesIsTold) {
    run(&LocalInstanceTest::lose_the_disk);
}

}  // namespace
}  // namespace howdah::instance

int main(int argc, char** argv) {
    return howdah::instance::main_for_test(argc, argv);
}
