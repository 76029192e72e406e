#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "instance/local/local_node_for_test.h"
#include "io/loop.h"

namespace howdah::instance {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// Members on addresses that a test chooses, and what can be waited for.
class LocalFixture : public testing::Test {
public:
    LocalFixture() {
        char name[] = "/tmp/howdah-local-XXXXXX";
        root_ = mkdtemp(name);
    }
    ~LocalFixture() override { fs::remove_all(root_); }

    /// Runs `body` to its end; every node is fenced and closed afterwards, whatever it found.
    template <class Self>
    void run(io::Task<> (Self::*body)()) {
        loop_.run(around((static_cast<Self*>(this)->*body)()));
    }

    io::Task<> around(io::Task<> body) {
        co_await std::move(body);
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

    io::Task<Result<std::string>> sql(LocalNode* node, std::string text, Nanos limit = 10s) {
        const auto& pg = node->config.postgresql;
        HD_CO_TRY(const auto connection,
                  co_await Connection::open(clock_,
                                            {{"host", pg.listen_addresses},
                                             {"port", std::to_string(port_for_test)},
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

    io::Loop loop_{};
    io::SystemClock clock_{};
    std::string root_;
    std::vector<std::unique_ptr<LocalNode>> nodes_{};
};

}  // namespace howdah::instance
