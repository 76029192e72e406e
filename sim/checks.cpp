#include "checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "world.h"

namespace howdah::sim {
namespace {

constexpr std::size_t pending_at_most = 20'000;
constexpr std::uint64_t events_at_most = 100'000;

bool given_up(const ha::Record& record) {
    return record.state == ha::RecordState::released || record.state == ha::RecordState::handover;
}

template <class... Kinds>
bool has(const ha::Plan& plan) {
    return std::any_of(plan.actions.begin(), plan.actions.end(), [](const auto& action) {
        return (std::holds_alternative<Kinds>(action) || ...);
    });
}

bool leads(const ha::Plan& plan) {
    return has<ha::Promote, ha::MarkPrimary, ha::StartPrimary, ha::PublishSync, ha::ShowTimeline>(
        plan);
}

bool follows(const ha::Plan& plan) {
    return std::any_of(plan.actions.begin(), plan.actions.end(), [](const auto& action) {
        const auto* start = std::get_if<ha::StartStandby>(&action);
        const auto* follow = std::get_if<ha::Follow>(&action);
        return (start != nullptr && start->follow) || (follow != nullptr && follow->from);
    });
}

}  // namespace

void Checks::violation(std::string_view invariant, const std::string& what) {
    world_.violation(invariant, what);
}

void Checks::writable_changed(const Host& host) {
    if (world_.options.verbose || world_.options.transcript) {
        world_.say(host.name, host.postgres.writable() ? "PostgreSQL takes writes"
                                                       : "PostgreSQL takes no more writes");
    }
    world_.note_writable(host);
    if (!host.postgres.writable()) {
        return;
    }
    one_writable();
    writable_as_holder(host);
    new_primary_has_all(host);
}

/// Also after an operator paused the cluster: nobody takes over what may run without a deadline.
void Checks::one_writable() {
    if (world_.options.pauses) {
        return;
    }
    const Host* first = nullptr;
    for (const auto& host : world_.hosts) {
        if (!host->postgres.writable()) {
            continue;
        }
        if (first != nullptr) {
            return violation(
                "I1", fmt::format("{} and {} are writable at once", first->name, host->name));
        }
        first = host.get();
    }
}

void Checks::writable_as_holder(const Host& host) {
    if (!world_.timing_holds()) {
        return;
    }
    const auto kill_at = host.disk.armed();
    // The fencer may come late by F: what becomes writable meanwhile is killed before the term
    // ends.
    const auto deadline = kill_at + world_.profile.lease.fence_budget;
    if (kill_at.never() || host.clock.now() >= deadline) {
        return violation("I2", fmt::format("{} became writable without an armed fencer, or after "
                                           "its deadline",
                                           host.name));
    }
    if (!record_) {
        return;
    }
    const auto held =
        record_->state == ha::RecordState::claimed || record_->state == ha::RecordState::primary;
    if (record_->holder != host.uuid || !held) {
        violation("I2", fmt::format("{} became writable, but the record is {}'s and {}", host.name,
                                    record_->holder_name, ha::name_of(record_->state)));
    }
}

void Checks::deadline_passed(const Host& host) {
    if (host.postgres.writable() && world_.timing_holds()) {
        violation("I3", fmt::format("{} is writable after its deadline", host.name));
    }
}

void Checks::record_committed(const ha::Record& record) {
    term_is_not_over(record);
    route_had_closed(record);
    last_primary_is_kept(record);
    epochs_increase(record);
    epoch_has_one_holder(record);
    epoch_has_one_beginning(record);
    const auto before = record_ ? record_->sync : ha::SyncSet{};
    record_ = record;
    if (record.sync.empty()) {
        kept_.clear();  // from here on commits wait for nobody: the mode allows their loss
    }
    if (record.sync != before) {
        enough_voters_have_all("it was published");
    }
}

void Checks::store_went_back() {
    last_epoch_ = 0;
    holder_of_.clear();
    beginning_of_.clear();
    record_.reset();
}

/// `promoted` names the last that reached primary, and every other write copies it. One that was
/// deleted is made anew from what its members remember.
void Checks::last_primary_is_kept(const ha::Record& record) {
    if (!std::exchange(deleted_, false) && record_ &&
        record.promoted.epoch < record_->promoted.epoch) {
        violation("I4", fmt::format("the record forgets that epoch {} was promoted",
                                    record_->promoted.epoch));
    }
}

void Checks::epochs_increase(const ha::Record& record) {
    if (record.epoch < last_epoch_) {
        violation("I4", fmt::format("the epoch went from {} to {}", last_epoch_, record.epoch));
    }
    last_epoch_ = std::max(last_epoch_, record.epoch);
}

void Checks::epoch_has_one_holder(const ha::Record& record) {
    const auto [holder, fresh] = holder_of_.emplace(record.epoch, record.incarnation);
    if (!fresh && holder->second != record.incarnation) {
        violation("I4", fmt::format("epoch {} has two holders, {} and {}", record.epoch,
                                    holder->second, record.incarnation));
    }
}

void Checks::epoch_has_one_beginning(const ha::Record& record) {
    if (record.state != ha::RecordState::primary) {
        return;
    }
    const auto [where, first] =
        beginning_of_.emplace(record.epoch, std::pair{record.timeline, record.lsn});
    if (!first && where->second != std::pair{record.timeline, record.lsn}) {
        violation("I4", fmt::format("epoch {} has two timelines or start LSNs", record.epoch));
    }
}

void Checks::decided(const Host& host, const ha::View& view, const ha::Plan& plan) {
    acts_as_holder(host, view, plan);
    acts_for_newest(host, view, plan);
}

/// Being named in the record is not holding.
void Checks::acts_as_holder(const Host& host, const ha::View& view, const ha::Plan& plan) {
    if (leads(plan) && (!view.tenure || view.tenure->record.incarnation != host.incarnation())) {
        violation("I2", fmt::format("{} acts as the holder ({}) in a term that is not this run's",
                                    host.name, plan.rule));
    }
}

void Checks::acts_for_newest(const Host& host, const ha::View& view, const ha::Plan& plan) {
    const auto stored = host.disk.greatest();
    if (leads(plan) && view.tenure && view.tenure->epoch < stored) {
        violation("I5", fmt::format("{} acts for epoch {}, and has stored {}", host.name,
                                    view.tenure->epoch, stored));
    }
    const auto& seen = view.cluster ? view.cluster->record.record : std::nullopt;
    // A claimer may fetch what a sealed voter holds: that one follows nobody itself.
    if (follows(plan) && !view.tenure && seen && seen->epoch < stored) {
        violation("I5", fmt::format("{} follows a primary of epoch {}, and has stored {}",
                                    host.name, seen->epoch, stored));
    }
}

void Checks::epoch_stored(const Host& host) {
    if (const auto epoch = host.disk.load().epoch; epoch < host.disk.greatest()) {
        violation("I5", fmt::format("{} takes part in epoch {}, and had stored {}", host.name,
                                    epoch, host.disk.greatest()));
    }
}

/// The holder that gives up sends nothing more, whatever the answer.
void Checks::term_is_not_over(const ha::Record& record) {
    // After an operator deleted the record, one that its holder sent when it was deleted before may
    // arrive: nobody holds that term.
    if (!deleted_ && record_ && record_->epoch == record.epoch && given_up(*record_)) {
        violation("I2",
                  fmt::format("the term of epoch {} goes on as {} after it was {}", record.epoch,
                              ha::name_of(record.state), ha::name_of(record_->state)));
    }
}

/// X1, G4: nobody can have waited out a version that the endpoint's route still rests on.
void Checks::route_had_closed(const ha::Record& record) {
    if (!record_ || world_.options.store_loss || record.epoch <= record_->epoch ||
        record.holder == record_->holder || given_up(*record_)) {
        return;
    }
    const auto route = world_.endpoint->route();
    if (route.open && route.epoch < record.epoch) {
        violation("I11",
                  fmt::format("{} claimed epoch {} while the endpoint's route led to epoch "
                              "{} for another {} ms",
                              record.holder_name, record.epoch, route.epoch,
                              to_millis(route.deadline - world_.endpoint->clock.now()).count()));
    }
}

void Checks::new_primary_has_all(const Host& host) {
    // A host that stood still while it started PostgreSQL wakes up writable for a moment, long
    // deposed: nobody acknowledges to it.
    if (!world_.timing_holds() && record_ && record_->holder != host.uuid) {
        return;
    }
    for (const auto& [branch, lsn] : kept_) {
        if (!host.postgres.holds({.branch = branch, .lsn = lsn})) {
            return violation("I6",
                             fmt::format("{} became primary without the acknowledged commit at {}",
                                         host.name, lsn.text()));
        }
    }
    // What the mode allowed to be lost is lost.
    std::erase_if(told_, [&](const auto& told) {
        return !host.postgres.holds({.branch = told.first, .lsn = told.second});
    });
}

void Checks::enough_voters_have_all(const char* when) {
    if (!record_ || record_->sync.empty()) {
        return;
    }
    const auto& set = record_->sync;
    const auto has_all = [&](const ha::Voter& voter) {
        const auto* host = world_.host_of(voter.uuid);
        return host != nullptr && std::all_of(told_.begin(), told_.end(), [&](const auto& told) {
                   return host->postgres.has_flushed({.branch = told.first, .lsn = told.second});
               });
    };
    const auto have = std::count_if(set.voters.begin(), set.voters.end(), has_all);
    if (have < set.copies) {
        violation("I7", fmt::format("{} of {} voters hold all acknowledged commits when {}; the "
                                    "published set promises {}",
                                    have, set.voters.size(), when, set.copies));
    }
}

void Checks::acknowledged(const instance::WalMark& mark) {
    auto& told = told_[mark.branch];
    told = std::max(told, mark.lsn);
    // What lies behind a branch point counts for the history that left there.
    if (record_ && !record_->sync.empty()) {
        auto& kept = kept_[mark.branch];
        kept = std::max(kept, mark.lsn);
    }
    enough_voters_have_all("a commit was acknowledged");
}

void Checks::warned_commit_told_as(bool success) {
    if (success) {
        violation("I8", "a commit whose wait for a standby was cancelled was told as a success");
    }
}

void Checks::destructive_step(const Host& host) {
    if (!host.postgres.tree_dead()) {
        return violation(
            "I10", fmt::format("{} changes its data directory under a living server", host.name));
    }
    if (record_ && record_->holder == host.uuid && record_->state == ha::RecordState::primary &&
        record_->incarnation == host.incarnation() && host.holds()) {
        return violation("I10",
                         fmt::format("{} changes its data directory as the holder", host.name));
    }
    if (record_ && !record_->system_id.empty() && record_->system_id != host.postgres.system_id()) {
        violation("I10", fmt::format("{} changes a data directory of another cluster", host.name));
    }
}

void Checks::statement_sent(ha::Epoch connection, ha::Epoch newest_seen, Instant now,
                            Instant deadline) {
    if (connection < newest_seen) {
        violation("I11", fmt::format("a statement for epoch {} after epoch {} was seen", connection,
                                     newest_seen));
    }
    if (now >= deadline) {
        violation("I11", "a statement after the endpoint's deadline");
    }
}

void Checks::loop_turned(std::size_t pending, std::uint64_t events_at_this_instant) {
    if (pending > pending_at_most) {
        violation("I12", fmt::format("{} events are waited for at once", pending));
    }
    if (events_at_this_instant > events_at_most) {
        violation("I12", "time does not go on: something turns in a tight loop");
    }
}

}  // namespace howdah::sim
