#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/mutant.h"
#include "ha/rules.h"

namespace howdah::ha {

namespace {

/// After a promotion the standbys get so long to reconnect before a non-strict primary goes on
/// without them.
constexpr Nanos reconnect_grace = Millis(1500);

/// A standby whose host sleeps keeps its connection open for wal_sender_timeout, a minute by
/// default, while it confirms nothing.
constexpr Millis silent_too_long{3000};

/// Until then the agent of a standby that has connected can be asked several times.
constexpr Nanos confirmed_within = Seconds(3);

constexpr Millis poll_barrier{50};

StandbyNames in_force(const View& v) {
    return parse_standby_names(v.local.sync_standby_names).value_or(StandbyNames{});
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return text;
}

/// A standby that commits may wait for, in the order of preference (patroni-compatibility.md 10.1).
struct Fit {
    const Member* member = nullptr;
    const Walsender* walsender = nullptr;
};

bool may_vote(const View& v, const Member& m) {
    const auto& claimers = v.tenure->record.claimers;
    const auto tags = m.tags();
    return !m.is_patroni() && m.uuid != v.self.uuid && !tags.nosync && !tags.nofailover &&
           std::find(claimers.begin(), claimers.end(), m.uuid) != claimers.end();
}

std::vector<Fit> fit_standbys(const View& v) {
    std::vector<Fit> fit;
    for (const auto& w : v.local.walsenders) {
        for (const auto& m : v.cluster->members) {
            if (w.state == "streaming" && w.silent < silent_too_long && w.member == m.uuid &&
                may_vote(v, m)) {
                fit.push_back({.member = &m, .walsender = &w});
            }
        }
    }
    const auto best = std::max_element(fit.begin(), fit.end(), [](const Fit& a, const Fit& b) {
        return a.walsender->flush < b.walsender->flush;
    });
    const auto limit = v.settings.maximum_lag_on_syncnode;
    if (limit > 0 && best != fit.end()) {
        const auto top = (fit.size() == 1 ? v.local.lsn : best->walsender->flush).bytes();
        std::erase_if(fit, [&](const Fit& f) {
            return f.walsender->flush.bytes() + static_cast<std::uint64_t>(limit) < top;
        });
    }
    std::sort(fit.begin(), fit.end(), [](const Fit& a, const Fit& b) {
        const auto rank = [](const Fit& f) {
            return std::tuple(f.member->tags().sync_priority, f.walsender->sync_priority > 0,
                              f.walsender->flush, f.member->name);
        };
        return rank(a) > rank(b);
    });
    return fit;
}

/// What commits shall wait for now.
struct Wanted {
    StandbyNames names{};
    std::vector<Voter> voters{};
};

Wanted wanted(const View& v) {
    const auto& s = v.settings;
    Wanted w{.names = {.mode = s.sync_mode}};
    if (s.sync_mode == SyncMode::off) {
        return w;
    }
    auto fit = fit_standbys(v);
    const auto count = static_cast<std::size_t>(std::max(s.sync_node_count, 1));
    if (s.sync_mode == SyncMode::on && fit.size() > count) {
        fit.resize(count);
    }
    for (const auto& f : fit) {
        w.names.names.push_back(f.member->name);
        w.voters.push_back({.uuid = f.member->uuid, .name = f.member->name});
    }
    std::sort(w.names.names.begin(), w.names.names.end());
    std::sort(w.voters.begin(), w.voters.end(),
              [](const Voter& a, const Voter& b) { return a.name < b.name; });
    w.names.wait_for = static_cast<int>(std::min(count, fit.size()));
    return w;
}

/// Commits wait for standbys that are gone, and may go on waiting: they may come back in a moment.
/// Not in strict mode: whoever takes the name of one that is gone would acknowledge for it.
bool keeps_waiting(const View& v, const Wanted& w) {
    const auto now = in_force(v);
    const auto all_here = std::includes(w.names.names.begin(), w.names.names.end(),
                                        now.names.begin(), now.names.end());
    const auto reconnecting = v.now < v.memory.noticed.writable_at + reconnect_grace && !all_here;
    return reconnecting;
}

int caught_up(const View& v, const std::vector<std::string>& names, pg::Lsn lsn) {
    return members_caught_up(v.local.walsenders, lsn, names);
}

bool names_a_member(const View& v, const Walsender& w) {
    return std::ranges::any_of(v.cluster->members, [&](const Member& m) {
        return m.uuid != v.self.uuid && !m.is_patroni() &&
               lower(m.name) == lower(w.application_name);
    });
}

}  // namespace

/// PostgreSQL counts whatever calls itself like a member; its agent knows nothing of this one
/// (N17).
RuleResult rule::end_impostor(const View& v) {
    if (!runs_as_primary(v) || !v.cluster || v.settings.sync_mode == SyncMode::off) {
        return std::nullopt;
    }
    for (const auto& w : v.local.walsenders) {
        if (w.member.empty() && !w.since.never() && v.now >= w.since + confirmed_within &&
            names_a_member(v, w)) {
            return Plan{.why = fmt::format("{} calls itself {}, whose agent does not confirm it",
                                           w.client_addr, w.application_name),
                        .actions = {EndWalsender{.pid = w.pid, .name = w.application_name}}};
        }
    }
    return std::nullopt;
}

RuleResult rule::show_timeline(const View& v) {
    if (!holds_as(v, RecordState::claimed) || v.self.won_initialize ||
        v.local.role != Role::primary || !v.local.accepting || v.local.job.running ||
        v.local.timeline == 0 || v.tenure->record.timeline != 0 || barrier_passed(v)) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("on timeline {} now; the standbys may follow", v.local.timeline),
                .actions = {ShowTimeline{.timeline = v.local.timeline}}};
}

/// With synchronous mode off commits wait for what the configuration says, not for what was left in
/// force by an earlier role or mode (N6).
RuleResult rule::forget_standby_names(const View& v) {
    if (!runs_as_primary(v) || v.on_promises || v.memory.decided.switching ||
        v.tenure->change_unresolved || v.settings.sync_mode != SyncMode::off ||
        v.tenure->record.sync != SyncSet{} || !v.local.kept_standby_names ||
        HD_MUTANT(names_of_an_earlier_role)) {
        return std::nullopt;
    }
    return Plan{.why = fmt::format("synchronous mode is off, but '{}' is left in force",
                                   *v.local.kept_standby_names),
                .actions = {SetStandbyNames{}}};
}

RuleResult rule::change_sync_set(const View& v) {
    if (!runs_as_primary(v) || !v.cluster || v.memory.decided.switching || v.on_promises ||
        v.tenure->change_unresolved ||
        (v.settings.sync_mode == SyncMode::off && v.tenure->record.sync == SyncSet{})) {
        return std::nullopt;
    }
    if (v.confirmed_names != v.local.sync_standby_names) {
        return Plan{
            .why = fmt::format("is '{}' in force in every walsender?", v.local.sync_standby_names),
            .actions = {SetStandbyNames{.text = v.local.sync_standby_names}}};
    }
    auto w = wanted(v);
    if (keeps_waiting(v, w)) {
        return std::nullopt;
    }
    if (v.settings.sync_strict && v.settings.sync_mode != SyncMode::off && w.names.wait_for == 0) {
        w.names.blocked = true;
    }
    const auto in_force_since = v.memory.noticed.barrier_names == v.local.sync_standby_names;
    const auto step = next_step(
        {.published = v.tenure->record.sync,
         .effective = in_force(v),
         .wanted = w.names,
         .wanted_voters = w.voters,
         .strict = v.settings.sync_strict && v.settings.sync_mode != SyncMode::off,
         .own_uuid = v.self.uuid,
         .caught_up =
             in_force_since ? caught_up(v, w.names.names, v.memory.noticed.barrier_lsn) : -1,
         .caught_up_in_force =
             in_force_since ? caught_up(v, in_force(v).names, v.memory.noticed.barrier_lsn) : -1});
    switch (step.kind) {
        case SyncStep::Kind::publish:
            return Plan{.why = fmt::format("publishing a sync set: {} of {} voters hold every "
                                           "acknowledged commit",
                                           step.set.copies, step.set.voters.size()),
                        .actions = {PublishSync{.set = step.set}}};
        case SyncStep::Kind::set:
            return Plan{.why = fmt::format("commits wait for '{}' from now on", render(step.names)),
                        .actions = {SetStandbyNames{.text = render(step.names)}}};
        case SyncStep::Kind::wait:
        case SyncStep::Kind::none:
            return std::nullopt;
    }
    return std::nullopt;
}

RuleResult rule::wait_for_barrier(const View& v) {
    if (!holds_as(v, RecordState::claimed) || v.tenure->record.timeline == 0 ||
        v.local.role != Role::primary || !v.local.accepting || v.local.job.running ||
        barrier_passed(v)) {
        return std::nullopt;
    }
    return Plan{
        .why = fmt::format("endpoints stay closed until '{}' hold WAL up to {}",
                           v.local.sync_standby_names, v.memory.noticed.writable_lsn.text()),
        .wake = v.now + poll_barrier};
}

bool counts_on_nobody_called(const std::string& name, const Tenure& tenure, const Local& local,
                             const std::optional<std::string>& confirmed) {
    const auto names = parse_standby_names(local.sync_standby_names);
    const auto untouched = tenure.record.sync == SyncSet{} && !local.kept_standby_names;
    if (!names || (confirmed != local.sync_standby_names && !untouched)) {
        return false;
    }
    // `*` and the like read as nobody known: they may mean anybody.
    return local.sync_standby_names.empty() ||
           (!names->none() && std::ranges::none_of(names->names, [&](const std::string& other) {
               return lower(other) == lower(name);
           }));
}

bool runs_as_primary(const View& v) {
    return (holds_as(v, RecordState::primary) ||
            (holds_as(v, RecordState::claimed) && v.tenure->record.timeline != 0 &&
             !barrier_passed(v))) &&
           v.local.role == Role::primary && v.local.accepting && !v.local.job.running;
}

bool barrier_passed(const View& v) {
    const auto& set = v.tenure->record.sync;
    // A new cluster has acknowledged nothing yet; a term taken over from an earlier run of this
    // agent has had its barrier.
    if (set.mode == SyncMode::off || v.tenure->record.promoted.epoch == 0 ||
        HD_MUTANT(no_barrier)) {
        return true;
    }
    const auto names = in_force(v);
    return v.confirmed_names == v.local.sync_standby_names && !names.blocked &&
           caught_up(v, names.names, v.memory.noticed.writable_lsn) >= names.wait_for;
}

}  // namespace howdah::ha
