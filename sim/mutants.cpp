// Breaks one rule after the other and demands that the simulation notices (safety-model.md, section
// 8, meta-tests; docs/simulation.md). The sources of ha/, agent/ and the endpoint's gate are
// compiled into this program once more, with HOWDAH_MUTANTS.

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <vector>

#include "base/mutant.h"
#include "shrink.h"
#include "world.h"

namespace {

using howdah::Mutant;
using howdah::ha::SyncMode;
using howdah::sim::FaultKind;
using howdah::sim::Options;
using howdah::sim::World;

constexpr rlim_t seconds_at_most = 120;
constexpr int shrink_runs = 300;
constexpr std::uint64_t control_seeds = 10;

struct Case {
    Mutant mutant = Mutant::none;
    std::string_view name{};
    std::string_view rule{};  ///< of the safety model
    std::string_view what{};  ///< is broken
    Options options{};        ///< under which it matters
};

Options options_for(double minutes, std::set<FaultKind> favour = {}) {
    return {.lasts = howdah::Nanos(static_cast<howdah::Nanos::rep>(minutes * 60e9)),
            .favour = std::move(favour)};
}

Options strict(Options options) {
    options.sync_mode = SyncMode::quorum;
    options.strict = true;
    return options;
}

Options with_pauses(Options options) {
    options.pauses = true;
    return options;
}

Options with_store_loss(Options options) {
    options.store_loss = true;
    options.skip = {"P5"};  // some losses need an operator
    return options;
}

Options with_lease(Options options, std::string lease) {
    options.lease = std::move(lease);
    return options;
}

Options with_failsafe(Options options, bool on) {
    options.failsafe = on;
    return options;
}

/// The faults of a file in sim/cases, from that seed on.
Options as_in(std::string_view name, std::uint64_t seed, Options options) {
    std::ifstream in(fmt::format("{}/{}.case", HOWDAH_CASES, name));
    std::ostringstream text;
    text << in.rdbuf();
    options.schedule = howdah::sim::parse_schedule(text.str()).value();
    options.seed = seed;
    return options;
}

/// These faults instead of what the seed draws.
Options with_faults(std::string_view schedule, Options options) {
    options.schedule = howdah::sim::parse_schedule(std::string(schedule)).value();
    options.late_hosts = false;
    return options;
}

Options with_hosts(int hosts, std::vector<int> core, Options options) {
    options.hosts = hosts;
    options.core = std::move(core);
    return options;
}

Options heard_of() {
    auto options = with_lease(with_store_loss(options_for(1.5)), "default");
    options.sync_mode = SyncMode::quorum;
    options.strict = false;
    return options;
}

/// A primary that is cut off writes much that nobody acknowledges; whoever leads after it
/// acknowledges less, and dies as the first one comes back.
constexpr std::string_view longer_wal_of_an_older_epoch = R"(
30.0 isolate holder 0 for 26
30.5 vacuum holder 4 for 0
31.0 vacuum holder 4 for 0
31.5 vacuum holder 4 for 0
32.0 vacuum holder 4 for 0
55.9 kill_both holder 0 for 150
)";

/// Hosts that join while the store is silent.
Options with_newcomers(Options options) {
    options.hosts = 5;
    options.late_hosts = true;
    options.failsafe = true;
    options.sync_mode = SyncMode::off;
    return options;
}

std::vector<Case> all_cases() {
    using enum FaultKind;
    return {
        {Mutant::keepalive_as_proof, "keepalive_as_proof", "L2",
         "an answered keepalive of the lease extends the term",
         with_failsafe(options_for(10, {etcd_stall, etcd_election, cut_to_store}), false)},
        {Mutant::deadline_from_response, "deadline_from_response", "L3",
         "the deadline counts from the answer to a renewal",
         with_lease(options_for(10, {slow_answers, stop_agent, cut_to_store, cut_store}),
                    "lan-fast")},
        {Mutant::no_wait, "no_wait", "L6", "a candidate does not wait for W", options_for(10)},
        {Mutant::no_seal, "no_seal", "section 5, 2", "nobody is sealed before a promotion",
         with_pauses(strict(options_for(10, {pause_host, pause_host_hidden})))},
        {Mutant::lsn_without_epoch, "lsn_without_epoch", "section 5, 4",
         "the longest WAL wins, whatever its history",
         with_faults(longer_wal_of_an_older_epoch, with_lease(strict(options_for(2)), "default"))},
        {Mutant::release_before_reap, "release_before_reap", "F1",
         "a dead postmaster is taken for a stopped database", options_for(10, {kill_postmaster})},
        {Mutant::no_epoch_fsync, "no_epoch_fsync", "L8, I5",
         "the stored epoch does not outlive a loss of power",
         with_store_loss(options_for(10, {lose_power, etcd_roll_back}))},
        {Mutant::sync_set_published_late, "sync_set_published_late", "section 5",
         "the setting of PostgreSQL changes before the published set", strict(options_for(10))},
        {Mutant::no_barrier, "no_barrier", "section 5, 7",
         "endpoints open before the standbys hold what was recovered", strict(options_for(10))},
        {Mutant::trust_in_the_name, "trust_in_the_name", "section 1",
         "a member that is named in the record believes that it holds it",
         options_for(10, {kill_agent, kill_both})},
        {Mutant::system_id_ignored, "system_id_ignored", "P3",
         "a data directory of another cluster is taken for this one's",
         options_for(10, {foreign_data})},
        {Mutant::endpoint_without_deadline, "endpoint_without_deadline", "X1",
         "the endpoint routes on until it sees something newer",
         options_for(10, {cut_endpoint_store})},
        {Mutant::majority_of_promises, "majority_of_promises", "G2",
         "the promises of a majority carry the term",
         with_failsafe(options_for(10, {cut_store, cut_peer}), true)},
        {Mutant::non_members_claim, "non_members_claim", "L6",
         "who is not among the claimers claims", with_newcomers(options_for(3, {cut_store}))},
        {Mutant::set_without_union, "set_without_union", "G1",
         "claimers of an attempt of unknown outcome are not asked",
         with_newcomers(options_for(3, {cut_at_change}))},
        {Mutant::term_after_handover, "term_after_handover", "F2, G2",
         "a term goes on after its handover was sent",
         options_for(10, {switchover, cut_at_change})},
        {Mutant::vouch_of_full_ttl, "vouch_of_full_ttl", "G4",
         "a vouch extends the endpoint's route by T",
         with_failsafe(options_for(10, {cut_store, cut_peer, cut_endpoint_store, kill_both}),
                       true)},
        {Mutant::answers_without_round, "answers_without_round", "G3",
         "a promise of an earlier round counts",
         with_failsafe(options_for(10, {cut_store, cut_peer}), true)},
        {Mutant::promise_not_kept, "promise_not_kept", "G2", "who promised claims nevertheless",
         with_failsafe(options_for(10, {cut_store, cut_peer}), true)},
        {Mutant::timeline_not_unique, "timeline_not_unique", "N1",
         "a promotion opens the next number on its server, whoever has opened it before",
         strict(options_for(10, {isolate, kill_both, cut_at_change, cut_store, vacuum}))},
        {Mutant::claim_never_given_up, "claim_never_given_up", "N4",
         "a claimer without votes holds the record for ever",
         as_in("claimer-without-peers", 3,
               with_hosts(4, {1, 2, 3}, with_lease(strict(options_for(1.5)), "default")))},
        {Mutant::names_of_an_earlier_role, "names_of_an_earlier_role", "N6",
         "synchronous_standby_names of an earlier role or mode stays in force",
         as_in("names-of-an-earlier-era", 7750376, with_lease(options_for(10), "lan-fast"))},
        {Mutant::hearsay_forgotten, "hearsay_forgotten", "N8",
         "what another member has seen is forgotten with its answer",
         as_in("lost-set-heard-of", 5, heard_of())},
    };
}

/// What one process found out about one case.
struct Outcome {
    std::uint64_t seed = 0;  ///< 0: nothing was violated in time
    std::array<char, 8> invariant{};
    std::array<char, 200> what{};
    double seconds = 0;  ///< of one core
    bool control_clean = true;
};

double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

template <std::size_t n>
void keep(std::array<char, n>& in, const std::string& text) {
    std::strncpy(in.data(), text.c_str(), n - 1);
}

/// Without the mutant nothing is violated: neither under the seed that shows it, nor under others.
bool control_clean(Options options, std::uint64_t first_seed) {
    howdah::active_mutant = Mutant::none;
    auto clean = World(options).run().violations.empty();
    for (std::uint64_t i = 0; i < control_seeds && clean; ++i) {
        options.seed = first_seed + i;
        clean = World(options).run().violations.empty();
    }
    return clean;
}

/// Seeds until one shows the mutant.
Outcome hunt(const Case& one, std::uint64_t first_seed) {
    Outcome outcome;
    if (one.options.seed != Options{}.seed) {
        first_seed = one.options.seed;
    }
    for (auto seed = first_seed; cpu_seconds() < seconds_at_most - 5; ++seed) {
        auto options = one.options;
        options.seed = seed;
        howdah::active_mutant = one.mutant;
        const auto report = World(options).run();
        if (report.violations.empty()) {
            continue;
        }
        outcome.seed = seed;
        outcome.seconds = cpu_seconds();
        keep(outcome.invariant, report.violations.front().invariant);
        keep(outcome.what, report.violations.front().what);
        outcome.control_clean = control_clean(std::move(options), first_seed);
        return outcome;
    }
    outcome.seconds = cpu_seconds();
    return outcome;
}

struct Running {
    pid_t pid = 0;
    int pipe = -1;
    std::size_t number = 0;  ///< of the case
};

/// In a process of its own, so that a mutant can neither hang nor crash the rest.
Running start(const Case& one, std::size_t number, std::uint64_t first_seed) {
    std::array<int, 2> ends{};
    HD_CHECK(::pipe(ends.data()) == 0);
    const auto pid = ::fork();
    HD_CHECK(pid >= 0);
    if (pid == 0) {
        const rlimit limit{.rlim_cur = seconds_at_most, .rlim_max = seconds_at_most + 1};
        (void)::setrlimit(RLIMIT_CPU, &limit);
        const auto outcome = hunt(one, first_seed);
        const auto written = ::write(ends[1], &outcome, sizeof(outcome));
        ::_exit(written == static_cast<ssize_t>(sizeof(outcome)) ? 0 : 1);
    }
    ::close(ends[1]);
    return {.pid = pid, .pipe = ends[0], .number = number};
}

Outcome finish(const Running& running) {
    Outcome outcome;
    const auto got = ::read(running.pipe, &outcome, sizeof(outcome));
    ::close(running.pipe);
    int status = 0;
    ::waitpid(running.pid, &status, 0);
    if (got != static_cast<ssize_t>(sizeof(outcome))) {
        outcome = {.seconds = seconds_at_most, .control_clean = true};
        keep(outcome.what, fmt::format("its process ended without a word (status {})", status));
    }
    return outcome;
}

bool tell(const Case& one, const Outcome& outcome) {
    const auto dead = outcome.seed != 0 && outcome.control_clean;
    fmt::print("{:<8} {:<26} {:<13} {:<5} seed {:<6} {:>5.1f} s  {}{}\n",
               dead                ? "killed"
               : outcome.seed == 0 ? "SURVIVED"
                                   : "UNCLEAN",
               one.name, one.rule, outcome.invariant.data(), outcome.seed, outcome.seconds,
               outcome.what.data(),
               outcome.control_clean ? "" : " (the control, without the mutant, violates too)");
    std::fflush(stdout);
    return dead;
}

bool run_all(const std::vector<Case>& cases, std::size_t at_once, std::uint64_t first_seed) {
    std::vector<Running> running;
    std::size_t next = 0;
    auto all_dead = true;
    while (next < cases.size() || !running.empty()) {
        while (running.size() < at_once && next < cases.size()) {
            running.push_back(start(cases[next], next, first_seed));
            ++next;
        }
        std::vector<pollfd> ends;
        for (const auto& one : running) {
            ends.push_back({.fd = one.pipe, .events = POLLIN, .revents = 0});
        }
        (void)::poll(ends.data(), ends.size(), -1);
        for (std::size_t i = ends.size(); i-- > 0;) {
            if (ends[i].revents != 0) {
                const auto& one = cases[running[i].number];
                all_dead = tell(one, finish(running[i])) && all_dead;
                running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
    }
    return all_dead;
}

/// The shortest schedule that shows the mutant, and what happens then.
void show(const Case& one, std::uint64_t first_seed) {
    const auto outcome = hunt(one, first_seed);
    tell(one, outcome);
    if (outcome.seed == 0) {
        return;
    }
    howdah::active_mutant = one.mutant;
    auto options = one.options;
    options.seed = outcome.seed;
    const auto report = World(options).run();
    options.schedule =
        howdah::sim::shrink(options, report.schedule, outcome.invariant.data(), shrink_runs);
    options.transcript = true;
    fmt::print("{}{}", howdah::sim::render(*options.schedule), World(options).run().transcript);
}

}  // namespace

int main(int argc, char** argv) {
    std::string only;
    std::uint64_t seed = 1;
    std::size_t at_once = 2;
    bool list = false;
    bool tell_story = false;
    CLI::App app{
        "howdah-mutants: breaks one safety rule after the other; the simulation must notice"};
    app.add_flag("--list", list, "names, rules and what is broken");
    app.add_option("--only", only, "this one");
    app.add_option("--seed", seed, "first seed");
    app.add_option("-j,--jobs", at_once, "processes at once")->check(CLI::Range(1, 64));
    app.add_flag("--show", tell_story, "with --only: the shortest schedule and its transcript");
    CLI11_PARSE(app, argc, argv);
    spdlog::set_level(spdlog::level::off);

    auto cases = all_cases();
    if (!only.empty()) {
        std::erase_if(cases, [&](const Case& one) { return one.name != only; });
    }
    if (cases.empty()) {
        fmt::print(stderr, "howdah-mutants: no mutant \"{}\" (--list)\n", only);
        return 2;
    }
    if (list) {
        for (const auto& one : cases) {
            fmt::print("{:<26} {:<13} {}\n", one.name, one.rule, one.what);
        }
        return 0;
    }
    if (tell_story) {
        show(cases.front(), seed);
        return 0;
    }
    return run_all(cases, at_once, seed) ? 0 : 1;
}
