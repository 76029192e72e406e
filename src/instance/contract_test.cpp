// What every Instance does, on the model and on a real PostgreSQL with its fencer.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>

#include "instance/fake/fake_instance.h"
#include "instance/local/local_node_for_test.h"
#include "instance/local/pg_process.h"
#include "io/files.h"
#include "io/loop.h"

namespace howdah::instance {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// Servers, and what happens to them besides what their agents do.
class Stage {
public:
    virtual ~Stage() = default;
    virtual io::Task<Instance*> make(std::string name) = 0;
    /// One whose directory a restore made.
    virtual io::Task<Instance*> make_restored(std::string name) = 0;
    virtual Upstream address(const std::string& name) = 0;
    /// A client commits; false: it could not within 1 s.
    virtual io::Task<bool> write(std::string name) = 0;
    /// The postmaster is killed.
    virtual void crash(const std::string& name) = 0;
    /// Time goes by.
    virtual void step() {}
    virtual io::Task<> close() { co_return; }
};

class FakeStage final : public Stage {
public:
    FakeStage(io::Executor, io::Clock& clock) : clock_(clock) {}

    io::Task<Instance*> make(std::string name) override {
        const auto at = address(name);
        auto& made = all_[name];
        made = std::make_unique<FakeInstance>(clock_, servers_, name, at.host, at.port);
        made->times = {.initdb = 20ms,
                       .clone = 20ms,
                       .rewind = 20ms,
                       .start = 10ms,
                       .stop = 10ms,
                       .promote = 10ms,
                       .replicate = 1ms};
        co_return made.get();
    }
    io::Task<Instance*> make_restored(std::string name) override {
        auto* pg = co_await make(name);
        all_.at(name)->times.archive_recovery = 20ms;
        all_.at(name)->restore_backup();
        co_return pg;
    }
    Upstream address(const std::string& name) override {
        return {.name = name, .host = "host-" + name, .port = 5432};
    }
    io::Task<bool> write(std::string name) override { co_return all_.at(name)->write(100); }
    void crash(const std::string& name) override { all_.at(name)->crash(); }
    void step() override {
        for (auto& [name, server] : all_) {
            server->step();
        }
    }

private:
    io::Clock& clock_;
    FakeServers servers_{};
    std::map<std::string, std::unique_ptr<FakeInstance>> all_{};
};

class LocalStage final : public Stage {
public:
    LocalStage(io::Executor executor, io::Clock& clock) : executor_(executor), clock_(clock) {
        char name[] = "/tmp/howdah-contract-XXXXXX";
        root_ = mkdtemp(name);
    }
    ~LocalStage() override { fs::remove_all(root_); }

    io::Task<Instance*> make(std::string name) override {
        auto& made = all_[name];
        made = std::make_unique<LocalNode>(executor_, clock_, root_, name, address(name).host);
        auto settings = made->settings();
        settings.use_slots = false;
        EXPECT_TRUE(co_await made->pg.adopt());
        EXPECT_TRUE(co_await made->pg.configure(settings));
        co_return &made->pg;
    }
    /// An archive without WAL has an end, too.
    io::Task<Instance*> make_restored(std::string name) override {
        auto* pg = co_await make(name);
        EXPECT_TRUE(pg->initialize({.initdb = {"--no-sync"}}));
        while ((co_await pg->observe(1s)).job.running) {
            (void)co_await clock_.until(clock_.now() + 3ms);
        }
        EXPECT_TRUE(co_await pg->end_bootstrap());
        const auto& data_dir = all_.at(name)->config.postgresql.data_dir;
        EXPECT_TRUE(io::write_file_atomically(data_dir + "/recovery.signal", ""));
        EXPECT_TRUE(io::write_file_atomically(data_dir + "/postgresql.auto.conf",
                                              "restore_command = 'false --stanza=main'\n"));
        co_return pg;
    }
    Upstream address(const std::string& name) override {
        return {.name = name,
                .host = fmt::format("127.0.62.{}", 100 + name.at(0) - 'a'),
                .port = port_for_test};
    }
    io::Task<bool> write(std::string name) override {
        const auto& pg = all_.at(name)->config.postgresql;
        const pgclient::Keywords keywords{{"host", pg.listen_addresses},
                                          {"port", std::to_string(port_for_test)},
                                          {"user", pg.superuser.username},
                                          {"password", pg.superuser.password},
                                          {"dbname", "postgres"}};
        const auto connection = co_await Connection::open(clock_, keywords, 1s);
        co_return connection&& co_await (*connection)
            ->query("SELECT pg_logical_emit_message(true, 'a', 'commit')", {}, 1s);
    }
    void crash(const std::string& name) override {
        kill(living_postmaster(all_.at(name)->config.postgresql.data_dir), SIGKILL);
    }
    io::Task<> close() override {
        for (auto& [name, node] : all_) {
            EXPECT_TRUE(co_await node->pg.fence(10s)) << name;
            co_await node->pg.close();
        }
        all_.clear();
    }

private:
    io::Executor executor_;
    io::Clock& clock_;
    std::string root_;
    std::map<std::string, std::unique_ptr<LocalNode>> all_{};
};

class InstanceContract : public testing::TestWithParam<bool> {
public:
    InstanceContract() {
        if (GetParam()) {
            stage_ = std::make_unique<LocalStage>(loop_.executor(), clock_);
        } else {
            stage_ = std::make_unique<FakeStage>(loop_.executor(), clock_);
        }
    }

    void run(io::Task<> (InstanceContract::*body)()) { loop_.run(around(body)); }
    io::Task<> around(io::Task<> (InstanceContract::*body)()) {
        io::Scope scope(loop_.executor());
        scope.spawn([this] { return let_time_go_by(); });
        co_await (this->*body)();
        co_await stage_->close();
        co_await scope.close();
    }
    io::Task<> let_time_go_by() {
        while (co_await clock_.until(clock_.now() + 1ms)) {
            stage_->step();
        }
    }

    static void check(const Result<>& result, std::string_view what) {
        EXPECT_TRUE(result) << what << ": " << (result ? "" : result.error().message);
    }
    /// Errors other than this one are failures.
    template <class T>
    static void expect_refused(const Result<T>& result, Errc code, std::string_view what) {
        EXPECT_TRUE(!result && result.error().code == code)
            << what << ": " << (result ? "no error" : result.error().message);
    }

    io::Task<bool> becomes(Instance* pg, std::string what,
                           std::function<bool(const Local&)> condition) {
        const auto end = clock_.now() + 20s;
        while (clock_.now() < end) {
            if (condition(co_await pg->observe(1s))) {
                co_return true;
            }
            (void)co_await clock_.until(clock_.now() + 3ms);
        }
        const auto seen = co_await pg->observe(1s);
        ADD_FAILURE() << "never " << what << ": timeline " << seen.timeline << " lsn "
                      << seen.lsn.text() << " replication " << seen.replication_state << " streams "
                      << seen.streaming_from_following << " no answer " << seen.no_answer;
        co_return false;
    }

    /// Waits for the job that `begun` began.
    io::Task<bool> job(Instance* pg, Result<> begun, std::string what) {
        check(begun, what);
        if (!begun) {
            co_return false;
        }
        EXPECT_TRUE((co_await pg->observe(1s)).job.running) << what;
        co_await becomes(pg, what + " ends", [](const Local& l) { return !l.job.running; });
        const auto seen = co_await pg->observe(1s);
        EXPECT_EQ(seen.job.error, "") << what;
        EXPECT_EQ(seen.job.failures, 0) << what;
        co_return seen.job.failures == 0;
    }

    io::Task<Instance*> primary(std::string name) {
        auto* pg = co_await stage_->make(name);
        const config::Bootstrap how{.initdb = {"--encoding=UTF8", "--locale=C", "--no-sync"}};
        co_await job(pg, pg->initialize(how), "initialize");
        co_await job(pg, pg->start(StartAs::primary, std::nullopt), "start");
        check(co_await pg->create_users(how), "users");
        co_return pg;
    }
    io::Task<Instance*> standby(std::string name, std::string of) {
        auto* pg = co_await stage_->make(name);
        co_await job(pg, pg->clone(stage_->address(of)), "clone");
        co_await job(pg, pg->start(StartAs::standby, stage_->address(of)), "start");
        co_await streams(pg, of);
        co_return pg;
    }
    io::Task<> streams(Instance* pg, std::string from) {
        co_await becomes(pg, "streams", [](const Local& l) { return l.streaming_from_following; });
        EXPECT_EQ((co_await pg->observe(1s)).following, stage_->address(from));
    }
    io::Task<pg::Lsn> write(std::string name, Instance* pg) {
        EXPECT_TRUE(co_await stage_->write(name));
        co_return (co_await pg->observe(1s)).lsn;
    }
    io::Task<> reaches(Instance* pg, pg::Lsn lsn) {
        co_await becomes(pg, "has all", [=](const Local& l) { return l.lsn >= lsn; });
    }

    io::Task<> initialize_and_start();
    io::Task<> clone_and_stream();
    io::Task<> promote_and_follow();
    io::Task<> stop_in_order();
    io::Task<> fence_and_crash();
    io::Task<> diverge_and_rewind();
    io::Task<> seal();
    io::Task<> wait_for_standbys();
    io::Task<> refuse();
    io::Task<> recover_restored();
    io::Task<> abandon();

    io::Loop loop_{};
    io::SystemClock clock_{};
    std::unique_ptr<Stage> stage_{};
};

io::Task<> InstanceContract::initialize_and_start() {
    auto* a = co_await stage_->make("a");
    const auto empty = co_await a->observe(1s);
    EXPECT_EQ(empty.data_dir, DataDir::empty);
    EXPECT_TRUE(empty.tree_dead && !empty.postmaster && !empty.crashed);
    EXPECT_TRUE(empty.answered.never());
    const config::Bootstrap how{.initdb = {"--encoding=UTF8", "--locale=C", "--no-sync"}};
    co_await job(a, a->initialize(how), "initialize");
    const auto made = co_await a->observe(1s);
    EXPECT_EQ(made.data_dir, DataDir::initialized);
    EXPECT_NE(made.system_id, "");
    EXPECT_EQ(made.timeline, 1U);
    EXPECT_FALSE(made.postmaster);

    co_await job(a, a->start(StartAs::primary, std::nullopt), "start");
    const auto runs = co_await a->observe(1s);
    EXPECT_TRUE(runs.postmaster && runs.accepting && !runs.tree_dead);
    EXPECT_EQ(runs.role, ha::Role::primary);
    EXPECT_EQ(runs.state, ha::PgState::running);
    EXPECT_EQ(runs.timeline, 1U);
    EXPECT_EQ(runs.system_id, made.system_id);
    EXPECT_EQ(runs.server_version / 10000, 15);
    EXPECT_EQ(runs.final_lsn, pg::Lsn{});
    EXPECT_FALSE(runs.following);
    EXPECT_EQ(runs.disk_trouble, "");
    EXPECT_LT(clock_.now() - runs.answered, 5s);
    EXPECT_EQ((co_await a->timeline_history(1)).value_or("?"), "");
    const auto before = runs.lsn;
    EXPECT_GT(co_await write("a", a), before);
}

io::Task<> InstanceContract::clone_and_stream() {
    auto* a = co_await primary("a");
    auto* b = co_await standby("b", "a");
    const auto seen = co_await b->observe(1s);
    EXPECT_EQ(seen.role, ha::Role::standby);
    EXPECT_EQ(seen.system_id, (co_await a->observe(1s)).system_id);
    EXPECT_EQ(seen.replication_state, "streaming");
    EXPECT_FALSE(co_await stage_->write("b"));
    const auto written = co_await write("a", a);
    co_await reaches(b, written);
    co_await becomes(a, "knows it", [&](const Local& l) {
        return l.walsenders.size() == 1 && l.walsenders[0].flush >= written;
    });
    const auto walsender = (co_await a->observe(1s)).walsenders.at(0);
    EXPECT_EQ(walsender.application_name, "b");
    EXPECT_EQ(walsender.state, "streaming");
    EXPECT_EQ(walsender.sync_state, "async");

    stage_->crash("a");
    co_await becomes(b, "streams no more",
                     [](const Local& l) { return !l.streaming_from_following; });
    EXPECT_TRUE((co_await b->observe(1s)).accepting);
}

io::Task<> InstanceContract::promote_and_follow() {
    auto* a = co_await primary("a");
    auto* b = co_await standby("b", "a");
    auto* c = co_await standby("c", "a");
    const auto written = co_await write("a", a);
    co_await reaches(b, written);
    co_await reaches(c, written);
    check(co_await a->fence(5s), "fence");
    // What the dead primary sent to one alone keeps that one from following the other.
    std::string first = "b";
    for (auto* each : {b, c}) {
        co_await becomes(each, "lost a",
                         [](const Local& l) { return !l.streaming_from_following; });
    }
    if ((co_await c->observe(1s)).lsn > (co_await b->observe(1s)).lsn) {
        std::swap(b, c);
        first = "c";
    }
    check(b->promote(4), "promote");
    const auto promoting = co_await b->observe(1s);
    EXPECT_EQ(promoting.role, ha::Role::primary);
    co_await becomes(b, "is promoted",
                     [](const Local& l) { return !l.job.running && l.accepting; });
    const auto promoted = co_await b->observe(1s);
    EXPECT_EQ(promoted.timeline, 4U) << "the number that was asked for";
    EXPECT_FALSE(promoted.following);
    EXPECT_GE(promoted.lsn, written);
    EXPECT_TRUE((co_await b->timeline_history(4)).value_or("").starts_with("1\t"));

    check(co_await c->follow(stage_->address(first)), "follow");
    EXPECT_EQ((co_await c->observe(1s)).following, stage_->address(first));
    co_await streams(c, first);
    co_await reaches(c, co_await write(first, b));
    co_await becomes(c, "is on timeline 4", [](const Local& l) { return l.timeline == 4; });
}

io::Task<> InstanceContract::stop_in_order() {
    auto* a = co_await primary("a");
    auto* b = co_await standby("b", "a");
    // A standby says that it streams when it has asked to; the primary waits for those it serves.
    co_await becomes(a, "serves b", [](const Local& l) { return l.walsenders.size() == 1; });
    const auto written = co_await write("a", a);
    co_await job(a, a->stop(StopMode::fast), "stop");
    const auto stopped = co_await a->observe(1s);
    EXPECT_TRUE(stopped.tree_dead && !stopped.postmaster && !stopped.accepting);
    EXPECT_FALSE(stopped.crashed);
    EXPECT_EQ(stopped.state, ha::PgState::stopped);
    EXPECT_GE(stopped.final_lsn, written);
    EXPECT_TRUE(stopped.walsenders.empty());
    EXPECT_TRUE(stopped.answered.never());
    expect_refused(a->stop(StopMode::fast), Errc::unavailable, "stop what is down");

    // Whoever streamed has all, so that nothing keeps the old primary from following the new one.
    co_await reaches(b, stopped.final_lsn);
    co_await job(b, b->promote(0), "promote");
    check(co_await a->check_divergence(stage_->address("b")), "compare");
    EXPECT_FALSE((co_await a->observe(1s)).needs_rewind);
    co_await job(a, a->start(StartAs::standby, stage_->address("b")), "start");
    co_await streams(a, "b");
}

io::Task<> InstanceContract::fence_and_crash() {
    auto* a = co_await primary("a");
    const auto written = co_await write("a", a);
    check(co_await a->fence(5s), "fence");
    const auto fenced = co_await a->observe(1s);
    EXPECT_TRUE(fenced.tree_dead && !fenced.postmaster);
    EXPECT_FALSE(fenced.crashed) << "it was asked to end";
    EXPECT_EQ(fenced.state, ha::PgState::stopped);
    EXPECT_GE(fenced.final_lsn, written);
    check(co_await a->fence(5s), "fence what is dead");

    co_await job(a, a->start(StartAs::primary, std::nullopt), "start");
    const auto more = co_await write("a", a);
    stage_->crash("a");
    co_await becomes(a, "is proven dead", [](const Local& l) { return l.tree_dead; });
    const auto crashed = co_await a->observe(1s);
    EXPECT_TRUE(crashed.crashed && !crashed.postmaster);
    EXPECT_EQ(crashed.state, ha::PgState::crashed);
    EXPECT_GE(crashed.final_lsn, more);
    co_await job(a, a->start(StartAs::primary, std::nullopt), "start");
    EXPECT_FALSE((co_await a->observe(1s)).crashed);
    EXPECT_EQ((co_await a->observe(1s)).timeline, 1U);
}

io::Task<> InstanceContract::diverge_and_rewind() {
    auto* a = co_await primary("a");
    auto* b = co_await standby("b", "a");
    check(co_await b->check_divergence(stage_->address("a")), "compare");
    EXPECT_FALSE((co_await b->observe(1s)).needs_rewind);
    co_await job(b, b->promote(0), "promote");
    (void)co_await write("a", a);
    (void)co_await write("b", b);
    expect_refused(a->rewind(stage_->address("b")), Errc::conflict, "rewind what runs");
    check(co_await a->fence(5s), "fence");
    check(co_await a->check_divergence(stage_->address("b")), "compare");
    EXPECT_TRUE((co_await a->observe(1s)).needs_rewind);
    EXPECT_TRUE((co_await a->observe(1s)).rewind_possible);
    co_await job(a, a->rewind(stage_->address("b")), "rewind");
    const auto rewound = co_await a->observe(1s);
    EXPECT_FALSE(rewound.needs_rewind);
    EXPECT_FALSE(rewound.postmaster);
    EXPECT_EQ(rewound.following, stage_->address("b"));
    co_await job(a, a->start(StartAs::standby, stage_->address("b")), "start");
    co_await streams(a, "b");
    co_await reaches(a, co_await write("b", b));
    co_await becomes(a, "is on timeline 2", [](const Local& l) { return l.timeline == 2; });
    expect_refused(a->reinitialize(stage_->address("b")), Errc::conflict, "copy over what runs");
    check(co_await a->fence(5s), "fence");
    co_await job(a, a->reinitialize(stage_->address("b")), "reinitialize");
    co_await job(a, a->start(StartAs::standby, stage_->address("b")), "start");
    co_await streams(a, "b");
    co_await reaches(a, co_await write("b", b));
    EXPECT_FALSE(co_await a->check_divergence({.name = "x", .host = "127.0.62.199", .port = 1}));

    // Nothing is learnt or taken from one that does not lead, or not where its term says.
    EXPECT_FALSE(co_await b->check_divergence(stage_->address("a"))) << "compare with a standby";
    auto elsewhere = stage_->address("b");
    elsewhere.timeline = 7;
    EXPECT_FALSE(co_await a->check_divergence(elsewhere)) << "compare with another timeline";
    auto stranger = stage_->address("b");
    stranger.system_id = "1";
    EXPECT_FALSE(co_await a->check_divergence(stranger)) << "compare with another cluster";
    EXPECT_FALSE((co_await a->observe(1s)).needs_rewind);
    auto* c = co_await stage_->make("c");
    check(c->clone(stage_->address("a")), "clone");
    co_await becomes(c, "does not copy a standby", [](const Local& l) { return !l.job.running; });
    EXPECT_EQ((co_await c->observe(1s)).data_dir, DataDir::empty);
}

io::Task<> InstanceContract::seal() {
    auto* a = co_await primary("a");
    auto* b = co_await standby("b", "a");
    const auto written = co_await write("a", a);
    co_await reaches(b, written);
    expect_refused(co_await a->stop_receiving(1s), Errc::conflict, "seal a running primary");
    const auto sealed = co_await b->stop_receiving(5s);
    EXPECT_TRUE(sealed) << sealed.error().message;
    EXPECT_EQ(sealed.value_or(ha::WalPosition{}).timeline, 1U);
    const auto position = sealed.value_or(ha::WalPosition{}).flushed;
    EXPECT_GE(position, written);
    EXPECT_FALSE((co_await b->observe(1s)).following);

    const auto more = co_await write("a", a);
    EXPECT_GT(more, position);
    const auto end = clock_.now() + (GetParam() ? 800ms : 20ms);
    while (clock_.now() < end) {
        const auto seen = co_await b->observe(1s);
        EXPECT_FALSE(seen.streaming_from_following);
        EXPECT_LE(seen.lsn, position);
        (void)co_await clock_.until(clock_.now() + 5ms);
    }
    check(co_await b->follow(stage_->address("a")), "follow");
    co_await streams(b, "a");
    co_await reaches(b, more);

    check(co_await b->fence(5s), "fence");
    const auto down = co_await b->stop_receiving(5s);
    EXPECT_TRUE(down && down->timeline == 1 && down->flushed >= more);
    EXPECT_FALSE((co_await b->observe(1s)).following);
}

io::Task<> InstanceContract::wait_for_standbys() {
    auto* a = co_await primary("a");
    auto* b = co_await standby("b", "a");
    EXPECT_EQ((co_await a->observe(1s)).sync_standby_names, "");
    expect_refused(co_await a->set_sync_standbys("ANY 1 (b", 1s), Errc::invalid, "a bad list");
    check(co_await a->set_sync_standbys("ANY 1 (b, c)", 5s), "set");
    const auto quorum = co_await a->observe(1s);
    EXPECT_EQ(quorum.sync_standby_names, "ANY 1 (b, c)");
    EXPECT_EQ(quorum.walsenders.at(0).sync_state, "quorum");
    check(co_await a->set_sync_standbys("b", 5s), "set");
    const auto first = (co_await a->observe(1s)).walsenders.at(0);
    EXPECT_EQ(first.sync_state, "sync");
    EXPECT_EQ(first.sync_priority, 1);
    const auto written = co_await write("a", a);
    check(co_await a->await_sync_flush(written, 1, {"b", "c"}, 5s), "barrier");
    expect_refused(co_await a->await_sync_flush(written, 2, {"b", "c"}, 30ms), Errc::timeout,
                   "barrier of two");

    // It stays, over a restart, and for a standby until it is promoted.
    check(co_await a->fence(5s), "fence");
    EXPECT_EQ((co_await a->observe(1s)).sync_standby_names, "");
    check(co_await b->set_sync_standbys("ANY 1 (c)", 5s), "set on a standby");
    EXPECT_EQ((co_await b->observe(1s)).sync_standby_names, "");
    co_await job(a, a->start(StartAs::primary, std::nullopt), "start");
    EXPECT_EQ((co_await a->observe(1s)).sync_standby_names, "b");
    EXPECT_EQ((co_await a->observe(1s)).kept_standby_names, "b");
    EXPECT_EQ((co_await b->observe(1s)).kept_standby_names, "ANY 1 (c)") << "of a standby, too";
    check(co_await a->set_sync_standbys(std::nullopt, 5s), "as configured");
    EXPECT_EQ((co_await a->observe(1s)).sync_standby_names, "");
    EXPECT_FALSE((co_await a->observe(1s)).kept_standby_names);
    co_await job(b, b->promote(0), "promote");
    EXPECT_EQ((co_await b->observe(1s)).sync_standby_names, "ANY 1 (c)");
    if (GetParam()) {  // commits of the model wait for nobody
        EXPECT_FALSE(co_await stage_->write("b"));
    }
    expect_refused(co_await b->await_sync_flush(pg::Lsn(1), 1, {"c"}, 30ms), Errc::timeout,
                   "barrier of nobody");
}

io::Task<> InstanceContract::refuse() {
    auto* a = co_await primary("a");
    expect_refused(a->start(StartAs::primary, std::nullopt), Errc::conflict, "start what runs");
    expect_refused(a->initialize({}), Errc::unsafe, "initialize what is there");
    expect_refused(a->clone(stage_->address("b")), Errc::unsafe, "clone over what is there");
    expect_refused(a->promote(0), Errc::invalid, "promote a primary");
    check(a->stop(StopMode::immediate), "stop");
    expect_refused(a->stop(StopMode::immediate), Errc::conflict, "two jobs");
    co_await becomes(a, "is stopped", [](const Local& l) { return l.tree_dead; });
    expect_refused(a->promote(0), Errc::unavailable, "promote what is down");

    auto* b = co_await stage_->make("b");
    expect_refused(b->start(StartAs::standby, std::nullopt), Errc::invalid, "start nothing");
    expect_refused(co_await b->stop_receiving(1s), Errc::invalid, "seal nothing");
    check(b->clone(stage_->address("a")), "clone");
    co_await becomes(b, "gives up", [](const Local& l) { return !l.job.running; });
    const auto unable = co_await b->observe(1s);
    EXPECT_NE(unable.job.error, "");
    EXPECT_EQ(unable.job.kind, JobKind::clone);
    EXPECT_EQ(unable.job.failures, 1);
    EXPECT_EQ(unable.data_dir, DataDir::empty);
}

io::Task<> InstanceContract::recover_restored() {
    auto* a = co_await stage_->make_restored("a");
    const auto restored = co_await a->observe(1s);
    EXPECT_TRUE(restored.restored && !restored.bootstrap_begun);
    expect_refused(a->start(StartAs::primary, std::nullopt), Errc::invalid, "start as it is");
    expect_refused(co_await a->abandon_bootstrap(), Errc::unsafe, "remove a restore");
    check(co_await a->adopt_restored({}), "adopt");
    check(co_await a->adopt_restored({}), "adopt again");
    EXPECT_TRUE((co_await a->observe(1s)).bootstrap_begun);

    check(a->start(StartAs::restored, std::nullopt), "start");
    const auto recovering = co_await a->observe(1s);
    EXPECT_EQ(recovering.role, ha::Role::primary);
    EXPECT_FALSE(recovering.accepting);
    co_await becomes(a, "recovers", [](const Local& l) { return !l.job.running; });
    const auto runs = co_await a->observe(1s);
    EXPECT_EQ(runs.job.error, "");
    EXPECT_TRUE(runs.accepting && !runs.restored);
    EXPECT_EQ(runs.role, ha::Role::primary);
    EXPECT_EQ(runs.timeline, 2U);
    EXPECT_TRUE(co_await stage_->write("a"));
    check(co_await a->end_bootstrap(), "end");
    EXPECT_FALSE((co_await a->observe(1s)).bootstrap_begun);
}

io::Task<> InstanceContract::abandon() {
    auto* a = co_await stage_->make("a");
    co_await job(a, a->initialize({.initdb = {"--no-sync"}}), "initialize");
    EXPECT_TRUE((co_await a->observe(1s)).bootstrap_begun);
    check(co_await a->abandon_bootstrap(), "abandon");
    EXPECT_EQ((co_await a->observe(1s)).data_dir, DataDir::empty);
    co_await job(a, a->initialize({.initdb = {"--no-sync"}}), "initialize again");
    check(co_await a->end_bootstrap(), "end");
    expect_refused(co_await a->abandon_bootstrap(), Errc::unsafe, "remove a cluster");
    expect_refused(a->start(StartAs::restored, std::nullopt), Errc::invalid, "recover no restore");
}

TEST_P(InstanceContract, ARestoredDirectoryRecoversByItselfOntoATimelineOfItsOwn) {
    run(&InstanceContract::recover_restored);
}
TEST_P(InstanceContract, WhatABootstrapMadeCanBeAbandonedBeforeItsEnd) {
    run(&InstanceContract::abandon);
}
TEST_P(InstanceContract, InitializesAndStarts) {
    run(&InstanceContract::initialize_and_start);
}
TEST_P(InstanceContract, AStandbyClonesAndStreams) {
    run(&InstanceContract::clone_and_stream);
}
TEST_P(InstanceContract, PromotesToANewTimelineThatOthersFollow) {
    run(&InstanceContract::promote_and_follow);
}
TEST_P(InstanceContract, AStoppedPrimaryHasSentAll) {
    run(&InstanceContract::stop_in_order);
}
TEST_P(InstanceContract, OnlyAnEndThatNobodyAskedForIsACrash) {
    run(&InstanceContract::fence_and_crash);
}
TEST_P(InstanceContract, DivergenceIsSeenAndRewound) {
    run(&InstanceContract::diverge_and_rewind);
}
TEST_P(InstanceContract, WhatIsSealedReceivesNoMore) {
    run(&InstanceContract::seal);
}
TEST_P(InstanceContract, SynchronousStandbysAreSetAndStay) {
    run(&InstanceContract::wait_for_standbys);
}
TEST_P(InstanceContract, WhatCannotWorkIsRefused) {
    run(&InstanceContract::refuse);
}

INSTANTIATE_TEST_SUITE_P(On, InstanceContract, testing::Values(false, true),
                         [](const auto& of) { return of.param ? "Postgresql" : "Model"; });

}  // namespace
}  // namespace howdah::instance

int main(int argc, char** argv) {
    return howdah::instance::main_for_test(argc, argv);
}
