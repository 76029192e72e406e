#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <set>

#include "ha/decide.h"
#include "world.h"

namespace {

using howdah::sim::Options;
using howdah::sim::Report;
using howdah::sim::World;

Report run_seed(Options options) {
    return World(options).run();
}

/// Rules that no fault of this simulation can reach yet.
const std::set<std::string_view> unreachable{"wait_for_death",
                                             "refuse_broken_directory",
                                             "refuse_other_cluster",
                                             "refuse_adoption",
                                             "give_back",
                                             "stay_out",
                                             "claim_handover_late",
                                             "give_up_outdated_claim"};

bool report_coverage(const std::set<std::string, std::less<>>& fired) {
    auto whole = true;
    for (const auto rule : howdah::ha::rule_names()) {
        if (!fired.contains(rule) && !unreachable.contains(rule)) {
            fmt::print("rule that never fired: {}\n", rule);
            whole = false;
        }
    }
    return whole;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    std::uint64_t seeds = 1;
    double minutes = 15;
    CLI::App app{
        "howdah-sim: the product's own decisions and agent loop on models of etcd and PostgreSQL"};
    app.add_option("--seed", options.seed, "first seed");
    app.add_option("--seeds", seeds, "how many, one after the other");
    app.add_option("--minutes", minutes, "simulated minutes with faults, a seed");
    app.add_option("--hosts", options.hosts, "database hosts")->check(CLI::Range(1, 9));
    bool coverage = false;
    app.add_flag("--coverage", coverage, "fail when a rule never fired");
    app.add_flag("-v,--verbose", options.verbose, "tell what happens");
    CLI11_PARSE(app, argc, argv);
    options.lasts = howdah::Nanos(static_cast<howdah::Nanos::rep>(minutes * 60e9));
    spdlog::set_level(options.verbose ? spdlog::level::warn : spdlog::level::off);

    const auto begun = std::chrono::steady_clock::now();
    std::set<std::string, std::less<>> rules;
    std::uint64_t failed = 0;
    std::uint64_t writes = 0;
    for (std::uint64_t i = 0; i < seeds; ++i) {
        auto one = options;
        one.seed = options.seed + i;
        const auto report = run_seed(one);
        rules.insert(report.rules.begin(), report.rules.end());
        writes += report.writes;
        if (i == 0 && run_seed(one).fingerprint != report.fingerprint) {
            fmt::print("seed {} is not reproducible\n", one.seed);
            ++failed;
        }
        for (const auto& violation : report.violations) {
            fmt::print("seed {}: {}\n  replay: howdah-sim --seed {} --minutes {} -v\n", one.seed,
                       violation, one.seed, minutes);
            ++failed;
        }
    }
    const auto seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    const auto whole = !coverage || report_coverage(rules);
    fmt::print("{} seeds, {} writes, {} violations, {:.1f} simulated cluster-hours a second\n",
               seeds, writes, failed, static_cast<double>(seeds + 1) * minutes / 60 / seconds);
    return failed == 0 && whole ? 0 : 1;
}
