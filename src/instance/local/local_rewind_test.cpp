#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "instance/local/local_fixture_for_test.h"
#include "instance/local/pg_process.h"
#include "io/files.h"

// What happens to a diverged data directory that pg_rewind doesn't mend.

namespace howdah::instance {
namespace {

pid_t parent_of(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("PPid:")) {
            return std::stoi(line.substr(5));
        }
    }
    return 0;
}

class LocalRewindTest : public LocalFixture {
public:
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

    io::Task<> lose_the_fencer_and_rewind_without_pg_rewind();
    io::Task<> fail_to_rewind();
    io::Task<> believe_no_exit_code();
    io::Task<> run_out_of_wal();
    io::Task<std::string> failing_rewind(LocalNode* node, LocalNode* from);
    static std::vector<std::string> newest_divergent_wal(const LocalNode* node);
};

io::Task<> LocalRewindTest::lose_the_fencer_and_rewind_without_pg_rewind() {
    auto* a = co_await make("a", "127.0.65.10");
    auto* b = co_await make("b", "127.0.65.11");
    if (!co_await make_primary(a) || !co_await make_standby(b, a) ||
        !co_await job(b, b->pg.promote(0), "promote")) {
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

io::Task<> LocalRewindTest::fail_to_rewind() {
    const auto bin_dir = programs_with_rewind("kill -9 $(head -1 " + root_ +
                                              "/b/postmaster.pid); echo not today; exit 1\n");
    auto* a = co_await make("a", "127.0.62.11", bin_dir);
    auto* b = co_await make("b", "127.0.62.12", bin_dir);
    if (!co_await make_primary(a) || !co_await make_standby(b, a) ||
        !co_await job(b, b->pg.promote(0), "promote")) {
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

    // With room it is set aside; what was set aside before stays.
    a->pg.measure_room_with(free_bytes_at);
    if (!co_await job(a, a->pg.rewind(b->address()), "replace")) {
        co_return;
    }
    EXPECT_EQ(count("a.diverged-"), 2);
    EXPECT_EQ(count("a.diverged-2020"), 1);
    if (!co_await job(a, a->pg.start(StartAs::standby, b->address()), "start as standby") ||
        !co_await becomes(a, "streams",
                          [](const Local& l) { return l.streaming_from_following; }) ||
        !co_await job(a, a->pg.promote(0), "promote")) {
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

/// A promotion by hand whose server was then started as a standby: pg_rewind sees two checkpoints
/// on timeline 1, does nothing and says that all is well.
io::Task<> LocalRewindTest::believe_no_exit_code() {
    auto* a = co_await make("a", "127.0.62.13");
    auto* b = co_await make("b", "127.0.62.14");
    if (!co_await make_primary(a) || !co_await make_standby(b, a) ||
        !co_await job(b, b->pg.promote(0), "promote")) {
        co_return;
    }
    co_await expect_sql(b, "INSERT INTO t VALUES (101)", "");
    check(co_await b->pg.fence(5s), "fence");
    co_await expect_sql(a, "INSERT INTO t VALUES (2)", "");
    if (!co_await job(b, b->pg.start(StartAs::standby, a->address()), "start unchecked")) {
        co_return;
    }
    check(co_await b->pg.check_divergence(a->address()), "compare");
    EXPECT_TRUE((co_await b->pg.observe(1s)).needs_rewind);
    if (!co_await job(b, b->pg.stop(StopMode::fast), "stop fast") ||
        !co_await job(b, b->pg.rewind(a->address()), "rewind") ||
        !co_await job(b, b->pg.start(StartAs::standby, a->address()), "start as standby")) {
        co_return;
    }
    co_await becomes(b, "streams", [](const Local& l) { return l.streaming_from_following; });
    check(co_await b->pg.check_divergence(a->address()), "compare");
    EXPECT_FALSE((co_await b->pg.observe(1s)).needs_rewind);
    co_await expect_sql(b, "SELECT string_agg(i::text, ' ' ORDER BY i) FROM t", "1 2");

    // And one that ends with 0 whatever it is asked.
    const auto bin_dir = programs_with_rewind("exit 0\n");
    auto* c = co_await make("c", "127.0.62.15", bin_dir);
    check(co_await a->pg.keep_slots({"a", "b", "c"}), "slots");
    if (!co_await make_standby(c, a) || !co_await job(c, c->pg.promote(0), "promote")) {
        co_return;
    }
    co_await expect_sql(c, "INSERT INTO t VALUES (103)", "");
    check(co_await c->pg.fence(5s), "fence");
    check(co_await c->pg.check_divergence(a->address()), "compare");
    EXPECT_TRUE((co_await c->pg.observe(1s)).needs_rewind);
    if (co_await job(c, c->pg.rewind(a->address()), "rewind") &&
        co_await job(c, c->pg.start(StartAs::standby, a->address()), "start as standby")) {
        co_await becomes(c, "streams", [](const Local& l) { return l.streaming_from_following; });
        EXPECT_EQ(count("c.diverged-"), 1) << "what it did not rewind is kept";
    }
}

/// A standby whose next WAL is nowhere would start for ever.
io::Task<> LocalRewindTest::run_out_of_wal() {
    auto* a = co_await make("a", "127.0.62.16");
    auto* b = co_await make("b", "127.0.62.17");
    if (!co_await make_primary(a) || !co_await make_standby(b, a) ||
        !co_await job(b, b->pg.stop(StopMode::fast), "stop fast")) {
        co_return;
    }
    auto settings = a->settings();
    settings.parameters["wal_keep_size"] = "0";
    check(co_await a->pg.configure(settings), "configure");
    check(co_await a->pg.drop_slots({"b"}), "slots");
    const auto first =
        co_await sql(a, "SELECT min(name) FROM pg_ls_waldir() WHERE length(name) = 24");
    const auto end = clock_.now() + 20s;
    while (clock_.now() < end &&
           co_await sql(a, "SELECT count(*) FROM pg_ls_waldir() WHERE name = '" +
                               first.value_or("") + "'") == "1") {
        (void)co_await sql(a, "INSERT INTO t VALUES (5)");
        (void)co_await sql(a, "SELECT pg_switch_wal()");
        co_await expect_sql(a, "CHECKPOINT", "");
    }
    for (const auto& segment : fs::directory_iterator(b->config.postgresql.data_dir + "/pg_wal")) {
        fs::remove(segment.is_regular_file() ? segment.path() : fs::path());
    }
    auto impatient = b->settings();
    impatient.pg_ctl_timeout = Seconds(1);
    check(co_await b->pg.configure(impatient), "configure");
    if (!co_await job(b, b->pg.start(StartAs::standby, a->address()), "start for ever")) {
        co_return;
    }
    EXPECT_FALSE((co_await b->pg.observe(1s)).accepting);
    check(co_await b->pg.check_divergence(a->address()), "compare");
    const auto stuck = co_await b->pg.observe(1s);
    EXPECT_TRUE(stuck.needs_rewind);
    EXPECT_TRUE(stuck.rewind_why.starts_with("it needs WAL from 0/")) << stuck.rewind_why;
    if (co_await job(b, b->pg.stop(StopMode::immediate), "stop") &&
        co_await job(b, b->pg.rewind(a->address()), "copy anew") &&
        co_await job(b, b->pg.start(StartAs::standby, a->address()), "start as standby")) {
        co_await becomes(b, "streams", [](const Local& l) { return l.streaming_from_following; });
        EXPECT_EQ(count("b.diverged-"), 1);
    }
}

io::Task<std::string> LocalRewindTest::failing_rewind(LocalNode* node, LocalNode* from) {
    check(node->pg.rewind(from->address()), "rewind");
    co_await becomes(node, "fails to rewind", [](const Local& l) { return !l.job.running; });
    co_return (co_await node->pg.observe(1s)).job.error;
}

/// The folder's name, and what is in it.
std::vector<std::string> LocalRewindTest::newest_divergent_wal(const LocalNode* node) {
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

TEST_F(LocalRewindTest, ADirectoryThatCannotBeRewoundIsSetAside) {
    run(&LocalRewindTest::lose_the_fencer_and_rewind_without_pg_rewind);
}
TEST_F(LocalRewindTest, ThatPgRewindEndedWellProvesNothing) {
    run(&LocalRewindTest::believe_no_exit_code);
}
TEST_F(LocalRewindTest, AStandbyWhoseWalIsGoneIsCopiedAnew) {
    run(&LocalRewindTest::run_out_of_wal);
}
TEST_F(LocalRewindTest, ARewindThatFailsLosesNothingItShouldKeep) {
    run(&LocalRewindTest::fail_to_rewind);
}

}  // namespace
}  // namespace howdah::instance
