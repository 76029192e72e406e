#include <fmt/format.h>

#include <algorithm>

#include "ha/rules.h"

// A planned stop ends (N18). PostgreSQL's own waits without limit for the archiver, for walsenders
// and for receivers that never confirm.

namespace howdah::ha {

namespace {

/// Of a primary: clients wait.
constexpr Nanos stop_limit = Seconds(10);
/// For archiver and walsenders, once nothing else is left.
constexpr Nanos last_words = Millis(500);
constexpr Nanos ask_every = Millis(500);
constexpr Millis ask_limit{400};

bool stop_failed(const View& v) {
    const auto& job = v.local.job;
    return job.kind == JobKind::stop && !job.running && job.failures > 0 && v.local.postmaster;
}

bool is_stopping(const View& v) {
    return v.local.job.kind == JobKind::stop && v.local.job.running && v.local.postmaster;
}

/// Nobody needs what the server still waits for: the candidate has replayed the shutdown checkpoint
/// (F2), or the same member goes on.
bool may_be_cut_short(const View& v) {
    if (!v.tenure || v.local.shut_down_seen.never() ||
        v.now < v.local.shut_down_seen + last_words || !v.memory.decided.switching || !v.order) {
        return false;
    }
    return v.order->restart || std::ranges::any_of(v.peers.standings, [&](const Standing& s) {
               return s.uuid == v.order->candidate && s.timeline == v.local.timeline &&
                      s.replayed > v.local.control.checkpoint;
           });
}

}  // namespace

RuleResult rule::abandon_stop(const View& v) {
    if (!stop_failed(v) || !v.local.accepting || !v.tenure || !v.memory.decided.switching ||
        !v.order) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.decided.switching = false;
    return Plan{.why = "the stop failed, and PostgreSQL goes on: " + v.local.job.error,
                .actions = {EndSwitchover{.why = "PostgreSQL did not stop: " + v.local.job.error}},
                .memory = memory};
}

RuleResult rule::cut_stop_short(const View& v) {
    if (!is_stopping(v) || !may_be_cut_short(v)) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("PostgreSQL is shut down at {}; what it still waits for is cut "
                                   "short",
                                   v.local.control.checkpoint.text()),
                .actions = {Fence{}}};
}

RuleResult rule::end_stop_by_force(const View& v) {
    const auto overdue = v.tenure && is_stopping(v) && v.now >= v.local.job.since + stop_limit;
    if (!overdue && (!stop_failed(v) || v.local.accepting)) {
        return std::nullopt;
    }
    auto memory = v.memory;
    memory.noticed.stop_cut = v.memory.decided.switching && v.local.shut_down_seen.never();
    return Plan{.why = fmt::format("PostgreSQL was told to stop {} ago and has not: it is killed",
                                   seconds_text(v.now - v.local.job.since)),
                .actions = {Fence{}},
                .memory = memory};
}

/// Whether the candidate of a switchover has the shutdown checkpoint.
RuleResult rule::ask_for_the_end(const View& v) {
    if (!is_stopping(v) || !v.tenure || v.local.shut_down_seen.never() ||
        !v.memory.decided.switching || !v.order || v.order->restart ||
        v.now < v.peers.asked + ask_every) {
        return std::nullopt;
    }
    return Plan{
        .why = fmt::format("PostgreSQL is shut down; has {} all of it?", v.order->candidate_name),
        .actions = {AskPeers{.about_revision = v.cluster ? v.cluster->record.revision : 0,
                             .limit = ask_limit}},
        .wake = v.now + ask_every};
}

}  // namespace howdah::ha
