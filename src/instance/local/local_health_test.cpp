#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "instance/local/local_fixture_for_test.h"
#include "instance/local/pg_process.h"
#include "io/files.h"

// Sick but not dead.

namespace howdah::instance {
namespace {

/// Connections that wait at `host`, accepted by the kernel and by nobody else.
int queued_at(const std::string& host) {
    std::ifstream table("/proc/net/tcp");
    std::uint32_t address = 0;
    inet_pton(AF_INET, host.c_str(), &address);
    const auto wanted = fmt::format("{:08X}:{:04X}", address, port_for_test);
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

class LocalHealthTest : public LocalFixture {
public:
    io::Task<> hang();
    io::Task<> lose_the_disk();
};

io::Task<> LocalHealthTest::hang() {
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

io::Task<> LocalHealthTest::lose_the_disk() {
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

TEST_F(LocalHealthTest, AHungPostmasterIsToldByANewConnection) {
    run(&LocalHealthTest::hang);
}
TEST_F(LocalHealthTest, ADiskThatTakesNoWritesIsTold) {
    run(&LocalHealthTest::lose_the_disk);
}

}  // namespace
}  // namespace howdah::instance
