#include "cli/up.h"

#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <cstdio>

#include "cli/up_cluster.h"
#include "cli/up_prepare.h"
#include "cli/up_processes.h"
#include "cli/up_screen.h"

namespace howdah::cli {

namespace {

constexpr Seconds healthy_limit{60};

/// What is started here and dies must not linger as a zombie: nobody waits for it.
void let_children_go() {
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    action.sa_flags = SA_NOCLDWAIT;
    ::sigaction(SIGCHLD, &action, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

UpCluster::Tell progress() {
    const auto begin = std::chrono::steady_clock::now();
    return [begin](const std::string& line) {
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
        fmt::print("{:5.1f} s  {}\n", passed.count(), line);
        std::fflush(stdout);
    };
}

Result<> stop(const std::string& dir) {
    return stop_all(dir, [](const std::string& step) {
        fmt::print("{}\n", step);
        std::fflush(stdout);
    });
}

void say_how_to_go_on(const UpLayout& layout) {
    fmt::print(
        "up: {} ({}:{} writes, :{} reads; passwords in {})\n"
        "    howdah list -c {}\n    howdah down --dir {}\n",
        layout.dir, layout.endpoint.address, read_write_port, read_only_port, layout.cluster_json(),
        layout.members.front().config(), layout.dir);
}

}  // namespace

Result<int> run(const UpCommand& command) {
    HD_TRY(auto prepared, prepare_up(command));
    let_children_go();
    const auto dir = prepared.layout.dir;
    fmt::print("{} {}\n", prepared.fresh ? "a new cluster in" : "going on with the cluster in",
               dir);
    std::fflush(stdout);
    UpCluster cluster(std::move(prepared));
    auto started = cluster.start();
    if (started) {
        started = cluster.wait_healthy(healthy_limit, progress());
    }
    if (!started) {
        (void)stop(dir);
        return std::unexpected(std::move(started).error());
    }
    say_how_to_go_on(cluster.layout());
    if (command.detach) {
        return 0;
    }
    watch_cluster(cluster, !command.no_load);
    HD_TRY_VOID(stop(dir));
    return 0;
}

}  // namespace howdah::cli
