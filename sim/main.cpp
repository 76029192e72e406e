#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <fstream>
#include <set>
#include <sstream>

#include "ha/decide.h"
#include "shrink.h"
#include "world.h"

namespace {

using howdah::sim::Options;
using howdah::sim::Report;
using howdah::sim::World;

/// Rules that no fault of this simulation can reach yet.
const std::set<std::string_view> unreachable{"refuse_newer_format",
                                             "refuse_broken_directory",
                                             "refuse_adoption",
                                             "give_back",
                                             "restore_scope",
                                             "give_up_outdated_claim",
                                             "take_over_from_patroni",
                                             "put_under_a_fencer",
                                             "give_up_unanswering_server",
                                             "abandon_stop",
                                             "cut_stop_short",
                                             "end_stop_by_force",
                                             "ask_for_the_end",
                                             "refuse_to_lead_a_standby_cluster"};
/// simulation.bootstraps sees to these.
const std::set<std::string_view> of_other_runs{"resume_bootstrap"};
constexpr int shrink_runs = 300;

struct Asked {
    Options options{};
    std::uint64_t seeds = 1;
    double minutes = 15;
    bool coverage = false;
    bool no_shrink = false;
    bool print_schedule = false;
    std::string schedule_file{};
    std::string sync{};
    std::vector<std::string> skip{}, favour{}, must{};
};

struct Totals {
    std::set<std::string, std::less<>> rules{};
    std::uint64_t failed = 0, writes = 0, reads = 0, unknown = 0, terms = 0, events = 0;
    howdah::Nanos simulated{};

    void add(const Report& r) {
        rules.insert(r.rules.begin(), r.rules.end());
        writes += r.writes;
        reads += r.reads;
        unknown += r.unknown;
        terms += r.terms;
        events += r.events;
        simulated += r.simulated;
    }
};

bool report_coverage(const Asked& asked, const std::set<std::string, std::less<>>& fired) {
    auto whole = true;
    for (const auto& rule : asked.must) {
        if (!fired.contains(rule)) {
            fmt::print("rule that never fired: {}\n", rule);
            whole = false;
        }
    }
    if (!asked.coverage) {
        return whole;
    }
    for (const auto rule : howdah::ha::rule_names()) {
        if (!fired.contains(rule) && !unreachable.contains(rule) && !of_other_runs.contains(rule)) {
            fmt::print("rule that never fired: {}\n", rule);
            whole = false;
        }
    }
    return whole;
}

std::string replay_options(const Asked& asked, const Options& options) {
    auto text = fmt::format("--seed {} --minutes {} --hosts {}", options.seed, asked.minutes,
                            options.hosts);
    text += options.pauses ? " --pauses" : "";
    text += options.store_loss ? " --store-loss" : "";
    text += options.lease.empty() ? "" : " --lease " + options.lease;
    text += asked.sync.empty() ? "" : " --sync " + asked.sync;
    if (options.failsafe) {
        text += fmt::format(" --failsafe {}", *options.failsafe);
    }
    if (options.restored) {
        text += fmt::format(" --restored {}", *options.restored);
    }
    if (options.late_hosts) {
        text += fmt::format(" --late-hosts {}", *options.late_hosts);
    }
    for (const auto kind : options.favour) {
        text += fmt::format(" --favour {}", howdah::sim::name_of(kind));
    }
    for (const auto& name : asked.skip) {
        text += " --skip " + name;
    }
    return text;
}

/// The shortest schedule that still breaks it, and what happens then, hour by hour.
void explain(const Asked& asked, Options options, const Report& report) {
    const auto& first = report.violations.front();
    fmt::print("seed {}: {} {}\n  replay: howdah-sim {} -v\n", options.seed, first.invariant,
               first.what, replay_options(asked, options));
    if (asked.no_shrink) {
        return;
    }
    if (first.invariant != "P5") {
        options.lasts = std::min(options.lasts, first.at + howdah::Seconds(60));
    }
    const auto least = howdah::sim::shrink(options, report.schedule, first.invariant, shrink_runs);
    options.schedule = least;
    options.transcript = true;
    const auto again = World(options).run();
    fmt::print("{} faults of {} are enough (--schedule FILE):\n{}what happens then:\n{}",
               least.size(), report.schedule.size(), howdah::sim::render(least), again.transcript);
}

void run_all(const Asked& asked, Totals& totals) {
    for (std::uint64_t i = 0; i < asked.seeds; ++i) {
        auto options = asked.options;
        options.seed += i;
        const auto report = World(options).run();
        totals.add(report);
        if (asked.print_schedule) {
            fmt::print("{}", howdah::sim::render(report.schedule));
        }
        if (i == 0) {
            auto quiet = options;
            quiet.verbose = false;
            const auto again = World(quiet).run();
            totals.simulated += again.simulated;
            if (again.fingerprint != report.fingerprint) {
                fmt::print("seed {} is not reproducible\n", options.seed);
                ++totals.failed;
            }
        }
        if (!report.violations.empty()) {
            ++totals.failed;
            explain(asked, options, report);
        }
    }
}

howdah::Result<> read_schedule(Asked& asked) {
    if (asked.schedule_file.empty()) {
        return {};
    }
    std::ifstream in(asked.schedule_file);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) {
        return howdah::fail(howdah::Errc::io, asked.schedule_file + ": can't be read");
    }
    HD_TRY(asked.options.schedule, howdah::sim::parse_schedule(text.str()));
    return {};
}

void take_sync(Asked& asked) {
    auto& o = asked.options;
    if (asked.sync == "off") {
        o.sync_mode = howdah::ha::SyncMode::off;
    } else if (asked.sync == "on" || asked.sync == "on-strict") {
        o.sync_mode = howdah::ha::SyncMode::on;
        o.strict = asked.sync == "on-strict";
    } else if (!asked.sync.empty()) {
        o.sync_mode = howdah::ha::SyncMode::quorum;
        o.strict = asked.sync == "quorum-strict";
    }
}

}  // namespace

int main(int argc, char** argv) {
    Asked asked;
    auto& options = asked.options;
    CLI::App app{
        "howdah-sim: the product's own decisions and agent loop on models of etcd, PostgreSQL, "
        "network and clients"};
    app.add_option("--seed", options.seed, "first seed");
    app.add_option("--seeds", asked.seeds, "how many, one after the other");
    app.add_option("--minutes", asked.minutes, "simulated minutes with faults, a seed");
    app.add_option("--hosts", options.hosts, "database hosts")->check(CLI::Range(1, 9));
    app.add_option("--sync", asked.sync, "instead of what the seed draws")
        ->check(CLI::IsMember({"off", "on", "on-strict", "quorum", "quorum-strict"}));
    app.add_option("--lease", options.lease, "instead of what the seed draws")
        ->check(CLI::IsMember({"lan-fast", "default", "wan"}));
    app.add_flag("--pauses", options.pauses,
                 "hosts stand still for long, half of them without their clock showing it: P1 may "
                 "break then, P2 not");
    app.add_flag("--store-loss", options.store_loss, "etcd goes back or loses its data");
    app.add_option("--failsafe", options.failsafe, "the members' promises carry a term, or not");
    app.add_option("--restored", options.restored, "so many hosts begin with what a restore left");
    app.add_option("--late-hosts", options.late_hosts, "some hosts begin late, or none");
    app.add_option("--favour", asked.favour, "kinds of faults to draw often");
    app.add_option("--skip", asked.skip, "invariants not to check: I1 ... I12, P5");
    app.add_option("--core", options.core,
                   "hosts that are back when the faults stop; the others stay away")
        ->delimiter(',');
    app.add_option("--schedule", asked.schedule_file, "faults from this file");
    app.add_flag("--print-schedule", asked.print_schedule, "print the faults drawn");
    app.add_flag("--no-shrink", asked.no_shrink, "don't look for a shorter schedule that fails");
    app.add_flag("--coverage", asked.coverage, "fail when a rule never fired");
    app.add_option("--must", asked.must, "fail when this rule never fired");
    app.add_flag("-v,--verbose", options.verbose, "tell what happens");
    CLI11_PARSE(app, argc, argv);
    options.lasts = howdah::Nanos(static_cast<howdah::Nanos::rep>(asked.minutes * 60e9));
    options.skip = {asked.skip.begin(), asked.skip.end()};
    take_sync(asked);
    for (const auto& name : asked.favour) {
        const auto kind = howdah::sim::kind_of(name);
        if (!kind) {
            fmt::print(stderr, "howdah-sim: no such kind of fault: {}\n", name);
            return 2;
        }
        options.favour.insert(*kind);
    }
    if (const auto read = read_schedule(asked); !read) {
        fmt::print(stderr, "howdah-sim: {}\n", read.error().message);
        return 2;
    }
    spdlog::set_level(options.verbose ? spdlog::level::warn : spdlog::level::off);

    Totals totals;
    run_all(asked, totals);
    // Of this process: others may share the core.
    const auto seconds = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    const auto whole = report_coverage(asked, totals.rules);
    fmt::print(
        "{} seeds, {} writes and {} reads told, {} unknown, {} terms, {} seeds with violations, "
        "{} events, {:.1f} simulated cluster-hours a second of one core\n",
        asked.seeds, totals.writes, totals.reads, totals.unknown, totals.terms, totals.failed,
        totals.events, howdah::to_seconds(totals.simulated) / 3600 / seconds);
    return totals.failed == 0 && whole ? 0 : 1;
}
