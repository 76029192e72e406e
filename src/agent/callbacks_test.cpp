#include "agent/callbacks.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace howdah::agent {
namespace {

using Calls = std::vector<Callback>;

instance::Local up(ha::Role role, bool in_recovery) {
    return {.postmaster = true, .accepting = true, .role = role, .in_recovery = in_recovery};
}
const auto primary = up(ha::Role::primary, false);
const auto standby = up(ha::Role::standby, true);
const auto promoting = up(ha::Role::primary, true);
const instance::Local down{};

TEST(Callbacks, FollowASwitchover) {
    CallbackWatch old;
    EXPECT_EQ(old.saw(primary, false), (Calls{{"on_start", "primary"}}));
    EXPECT_EQ(old.saw(primary, false), Calls{});
    EXPECT_EQ(old.saw(down, false), (Calls{{"on_stop", "primary"}}));
    EXPECT_EQ(old.saw(down, false), Calls{});
    EXPECT_EQ(old.saw(standby, false), (Calls{{"on_role_change", "replica"}}));
    CallbackWatch fresh;
    EXPECT_EQ(fresh.saw(standby, false), (Calls{{"on_start", "replica"}}));
    EXPECT_EQ(fresh.saw(promoting, false), Calls{}) << "it refuses writes yet";
    EXPECT_EQ(fresh.saw(primary, false), (Calls{{"on_role_change", "primary"}}));
}

TEST(Callbacks, ARestartIsOne) {
    CallbackWatch watch;
    (void)watch.saw(primary, false);
    EXPECT_EQ(watch.saw(down, true), Calls{});
    EXPECT_EQ(watch.saw(primary, true), (Calls{{"on_restart", "primary"}}));
    EXPECT_EQ(watch.saw(down, false), (Calls{{"on_stop", "primary"}}));
    EXPECT_EQ(watch.saw(primary, false), (Calls{{"on_start", "primary"}}));
}

TEST(Callbacks, WhatDoesNotAnswerForAMomentHasNotStopped) {
    CallbackWatch watch;
    (void)watch.saw(primary, false);
    auto silent = primary;
    silent.accepting = false;
    EXPECT_EQ(watch.saw(silent, false), Calls{});
    EXPECT_EQ(watch.saw(primary, false), Calls{});
}

TEST(Callbacks, AreRunWithPatronisArgumentsAndANewOneEndsTheOld) {
    char name[] = "/tmp/howdah-callback-XXXXXX";
    const std::string folder = mkdtemp(name);
    const auto script = folder + "/script";
    std::ofstream(script) << "#!/bin/sh\necho \"$@\" >> " << folder << "/out\n"
                          << "case \"$2\" in on_stop) sleep 60; echo late >> " << folder
                          << "/out;; esac\n";
    ASSERT_EQ(::chmod(script.c_str(), 0700), 0);
    CallbackRunner runner;
    const std::map<std::string, std::string> commands{{"on_stop", script + " 'a b'"},
                                                      {"on_role_change", script + " x"}};
    const auto text = [&] {
        std::ostringstream out;
        out << std::ifstream(folder + "/out").rdbuf();
        return out.str();
    };
    const auto wait_for = [&](const std::string& wanted) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (text() != wanted && std::chrono::steady_clock::now() < until) {
            std::this_thread::yield();
        }
        EXPECT_EQ(text(), wanted);
    };
    runner.run(commands, {"on_start", "primary"}, "demo");  // has no command
    runner.run(commands, {"on_stop", "primary"}, "demo");
    wait_for("a b on_stop primary demo\n");
    runner.run(commands, {"on_role_change", "replica"}, "demo");
    wait_for("a b on_stop primary demo\nx on_role_change replica demo\n");
    runner.run({{"on_stop", "/none/there"}}, {"on_stop", "primary"}, "demo");
    runner.reap();
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace howdah::agent
