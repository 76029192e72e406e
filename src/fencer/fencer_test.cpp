#include "fencer/fencer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "fencer/client.h"
#include "fencer/page.h"

namespace howdah::fencer {
namespace {

using namespace std::chrono_literals;

/// Spawns two children, one of them in a session of its own with a child, and writes down all pids.
constexpr auto family = R"sh(
    cd "$0"
    setsid sh -c 'echo $$ >> pids; sleep 1000 & echo $! >> pids; wait' &
    sh -c 'trap "" TERM INT QUIT HUP; echo $$ >> pids; sleep 1000 & echo $! >> pids; wait' &
    echo $$ >> pids
    while [ "$(wc -l < pids)" -lt 5 ]; do sleep 0.01; done
    echo ready > ready
    trap 'exit 7' TERM
    while :; do sleep 0.05; done
)sh";

class FencerTest : public testing::Test {
protected:
    FencerTest() {
        char name[] = "/tmp/howdah-fencer-XXXXXX";
        dir_ = mkdtemp(name);
        auto page = DeadlinePage::open(dir_ + "/deadline");
        page_.emplace(*std::move(page));
    }
    ~FencerTest() override {
        page_->arm(clock_.now());
        EXPECT_TRUE(holds([&] { return no_fencer_lives(dir_); }, 2s));
        std::filesystem::remove_all(dir_);
    }

    Launch launch_of(std::vector<std::string> command) {
        return {.howdah_binary = "/proc/self/exe",
                .state_dir = dir_,
                .deadline_page = dir_ + "/deadline",
                .log = dir_ + "/log",
                .command = std::move(command),
                .environment = {"PATH=/usr/bin:/bin"}};
    }

    template <class Condition>
    static bool holds(Condition condition, Nanos limit) {
        const io::SystemClock clock;
        const auto end = clock.now() + limit;
        while (!condition()) {
            if (clock.now() > end) {
                return false;
            }
            usleep(2000);
        }
        return true;
    }

    template <class T>
    T run(io::Task<T> task) {
        std::optional<T> result;
        io::asio::co_spawn(context_, std::move(task), [&](std::exception_ptr error, T value) {
            ASSERT_FALSE(error);
            result = std::move(value);
        });
        context_.restart();
        while (!result && context_.run_one() > 0) {
        }
        return *std::move(result);
    }
    void run(io::Task<> task) {
        bool done = false;
        io::asio::co_spawn(context_, std::move(task), [&](std::exception_ptr) { done = true; });
        context_.restart();
        while (!done && context_.run_one() > 0) {
        }
    }

    void start_family() {
        const auto started = run(launch(clock_, launch_of({"/bin/sh", "-c", family, dir_})));
        ASSERT_TRUE(started) << started.error().message;
        ASSERT_TRUE(holds([&] { return std::filesystem::exists(dir_ + "/ready"); }, 5s));
    }
    std::vector<pid_t> pids() const {
        std::ifstream file(dir_ + "/pids");
        return {std::istream_iterator<pid_t>(file), {}};
    }
    bool all_dead() const {
        return std::ranges::all_of(pids(), [](pid_t pid) { return kill(pid, 0) != 0; });
    }

    io::asio::io_context context_{1};
    io::SystemClock clock_{};
    std::string dir_{};
    std::optional<DeadlinePage> page_{};
};

TEST_F(FencerTest, KillsTheWholeTreeAtTheDeadlineWithNobodyAround) {
    start_family();
    EXPECT_EQ(pids().size(), 5U);
    const auto deadline = clock_.now() + 100ms;
    page_->arm(deadline);
    EXPECT_TRUE(holds([&] { return all_dead(); }, 5s));
    const auto late = to_millis(clock_.now() - deadline);
    EXPECT_GE(late, 0ms);
    EXPECT_LT(late, 200ms);
    EXPECT_TRUE(holds([&] { return read_exit(dir_).has_value(); }, 1s));
    EXPECT_EQ(*read_exit(dir_), (Exit{.status = "SIG9", .reason = "deadline"}));
    RecordProperty("late_ms", static_cast<int>(late.count()));
}

TEST_F(FencerTest, KeepsServingWhileTheDeadlineMovesOn) {
    start_family();
    for (int i = 0; i < 15; ++i) {
        page_->arm(clock_.now() + 100ms);
        EXPECT_FALSE(holds([&] { return all_dead(); }, 20ms));
    }
    page_->arm({});
    EXPECT_FALSE(holds([&] { return all_dead(); }, 150ms));
    page_->arm(clock_.now());
    EXPECT_TRUE(holds([&] { return all_dead(); }, 200ms));
}

TEST_F(FencerTest, PostmasterKilledMeansOrphansReaped) {
    start_family();
    FencerClient client(context_.get_executor(), clock_, dir_);
    const auto status = run(client.connect());
    ASSERT_TRUE(status) << status.error().message;
    bool ended = false;
    client.on_end([&] { ended = true; });
    ASSERT_EQ(kill(status->postmaster_pid, SIGKILL), 0);
    context_.restart();
    while (!ended && context_.run_one() > 0) {
    }
    EXPECT_TRUE(all_dead());
    ASSERT_TRUE(client.exited());
    EXPECT_EQ(*client.exited(), (Exit{.status = "SIG9", .reason = "exited"}));
    run(client.close());
}

TEST_F(FencerTest, TellsTheExitCodeAndPassesSignals) {
    start_family();
    FencerClient client(context_.get_executor(), clock_, dir_);
    ASSERT_TRUE(run(client.connect()));
    ASSERT_TRUE(run(client.signal("TERM")));
    EXPECT_FALSE(run(client.signal("KILL")));
    context_.restart();
    while (!client.exited() && context_.run_one() > 0) {
    }
    EXPECT_EQ(client.exited()->status, "7");
    EXPECT_TRUE(all_dead());
    run(client.close());
    // Who listens hears it before it is on disk.
    ASSERT_TRUE(holds([&] { return read_exit(dir_).has_value(); }, 2s));
    EXPECT_EQ(read_exit(dir_)->status, "7");
}

TEST_F(FencerTest, KillAnswersWhenTheTreeIsDead) {
    start_family();
    FencerClient client(context_.get_executor(), clock_, dir_);
    ASSERT_TRUE(run(client.connect()));
    const auto killed = run(client.kill(1s));
    EXPECT_TRUE(killed) << killed.error().message;
    EXPECT_TRUE(all_dead());
    run(client.close());
}

TEST_F(FencerTest, OnlyOneLivesInAStateDirectory) {
    start_family();
    EXPECT_FALSE(no_fencer_lives(dir_));
    const auto second = run(launch(clock_, launch_of({"/bin/sleep", "1"})));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
    EXPECT_FALSE(all_dead());
}

TEST_F(FencerTest, AMissingProgramIsToldByName) {
    const auto started = run(launch(clock_, launch_of({"/no/such/postgres"})));
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().message.find("/no/such/postgres: No such file"), std::string::npos)
        << started.error().message;
    EXPECT_FALSE(std::filesystem::exists(dir_ + "/fencer.sock"));
}

TEST_F(FencerTest, AWriteThatNeverEndsReadsAsKillNow) {
    page_->arm(clock_.now() + 1h);
    std::fstream raw(dir_ + "/deadline", std::ios::in | std::ios::out | std::ios::binary);
    std::uint64_t sequence = 0;
    raw.read(reinterpret_cast<char*>(&sequence), sizeof sequence);
    ++sequence;
    raw.seekp(0);
    raw.write(reinterpret_cast<const char*>(&sequence), sizeof sequence);
    raw.flush();
    EXPECT_LT(page_->read(), clock_.now());
    EXPECT_FALSE(page_->read().never());
    const auto later = clock_.now() + 1h;
    page_->arm(later);
    EXPECT_EQ(page_->read(), later);
}

TEST_F(FencerTest, WhatAnotherBootWroteIsNoDeadline) {
    page_->arm(clock_.now() + 1h);
    std::fstream raw(dir_ + "/deadline", std::ios::in | std::ios::out | std::ios::binary);
    raw.seekp(16);
    raw.write("another boot's  ", 16);
    raw.flush();
    EXPECT_TRUE(page_->read().never());
    EXPECT_TRUE(DeadlinePage::open(dir_ + "/deadline")->read().never());
    const auto later = clock_.now() + 1h;
    page_->arm(later);
    EXPECT_EQ(page_->read(), later);
}

}  // namespace
}  // namespace howdah::fencer

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "fencer") {
        return howdah::fencer::run(argc, argv);
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
