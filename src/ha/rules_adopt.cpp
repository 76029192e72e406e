#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ha/rules.h"

// The scope was Patroni's: it is initialized, and no Howdah member has ever led it
// (safety-model.md, section 9, M2). Only when the last Patroni member has gone, so that nobody else
// may take the key.

namespace howdah::ha {

namespace {

constexpr Millis ask_limit{1000};
constexpr Nanos ask_every = Seconds(5);

bool was_patronis(const View& v) {
    return v.cluster && v.cluster_fresh && v.cluster->record.absent() && v.cluster->record.bare() &&
           v.cluster->initialize && *v.cluster->initialize == v.local.system_id &&
           !v.local.system_id.empty() && v.self.stored_epoch == 0 && !v.last_record && !v.tenure &&
           !v.claim_unresolved && !v.recover;
}

bool can_lead(const View& v) {
    return v.local.role == Role::standby && v.local.accepting && !v.local.job.running &&
           v.local.data_dir == DataDir::initialized && !v.self.nofailover && !v.settings.pause &&
           !promise_stands(v);
}

/// Patroni's own rules for who may race: its sync set, and the timeline that its history names.
std::string patronis_objection(const View& v) {
    const auto sync = nlohmann::json::parse(v.cluster->sync_json, nullptr, false);
    if (sync.is_object() && sync.contains("leader") && sync["leader"].is_string()) {
        auto names = sync["leader"].get<std::string>();
        if (sync.contains("sync_standby") && sync["sync_standby"].is_string()) {
            names += "," + sync["sync_standby"].get<std::string>();
        }
        if (("," + names + ",").find("," + v.self.name + ",") == std::string::npos) {
            return fmt::format("/sync names {}, not this member", names);
        }
    }
    const auto& history = v.cluster->history;
    if (!history.empty() && v.local.timeline <= history.back().parent) {
        return fmt::format("it is on timeline {}, the cluster is on {}", v.local.timeline,
                           history.back().parent + 1);
    }
    if (v.cluster->optime && *v.cluster->optime > v.local.lsn.bytes()) {
        return fmt::format("the last primary had WAL up to {}, here it ends at {}",
                           pg::Lsn(*v.cluster->optime).text(), v.local.lsn.text());
    }
    return {};
}

bool goes_before(const Standing& other, const View& v) {
    const auto theirs = std::max(other.received, other.replayed);
    const auto ours = std::pair(v.local.timeline, v.local.lsn);
    return other.may_lead &&
           (std::pair(other.timeline, theirs) > ours ||
            (std::pair(other.timeline, theirs) == ours && other.uuid < v.self.uuid));
}

/// All other members have answered, none has ever seen a Howdah term, and none goes first.
std::string peers_objection(const View& v) {
    for (const auto& member : v.cluster->members) {
        const auto answered = std::ranges::any_of(
            v.peers.standings, [&](const Standing& s) { return s.uuid == member.uuid; });
        if (member.uuid != v.self.uuid && !answered) {
            return member.name + " does not answer";
        }
    }
    for (const auto& standing : v.peers.standings) {
        if (standing.stored_epoch > 0 || standing.holds) {
            return fmt::format("{} knows epoch {}: the record was deleted; `howdah dcs recover`",
                               standing.name, standing.stored_epoch);
        }
        if (goes_before(standing, v)) {
            return standing.name + " goes first";
        }
    }
    return {};
}

}  // namespace

RuleResult rule::take_over_from_patroni(const View& v) {
    if (!was_patronis(v) || !can_lead(v)) {
        return std::nullopt;
    }
    if (const auto why = why_no_new_cluster(v.settings); !why.empty()) {
        return Plan{.why = fmt::format("no claim of what was Patroni's: {}", why)};
    }
    const auto& members = v.cluster->members;
    const auto patroni = std::ranges::find_if(members, &Member::is_patroni);
    if (patroni != members.end()) {
        return Plan{.why =
                        fmt::format("the cluster is Patroni's while {} is a member: stop Patroni "
                                    "there too, and its key expires",
                                    patroni->name)};
    }
    const auto free_at = v.memory.noticed.leaderless_since + v.settings.lease.candidate_wait();
    if (v.memory.noticed.leaderless_since.never() || v.now < free_at) {
        return Plan{.why = "the cluster was Patroni's; its last leader may not have noticed yet",
                    .wake = free_at};
    }
    if (const auto why = patronis_objection(v); !why.empty()) {
        return Plan{.why = "no claim of what was Patroni's: " + why};
    }
    if (v.peers.asked.never() || v.peers.asked < free_at ||
        (v.peers.complete && v.now > v.peers.asked + ask_every)) {
        return Plan{.why = "the cluster was Patroni's: how do the others stand?",
                    .actions = {AskPeers{.about_revision = 0, .limit = ask_limit}}};
    }
    if (!v.peers.complete) {
        return Plan{.why = "the cluster was Patroni's: waiting for the others' answers"};
    }
    if (const auto why = peers_objection(v); !why.empty()) {
        return Plan{.why = "no claim of what was Patroni's: " + why,
                    .wake = v.peers.asked + ask_every};
    }
    return Plan{.why = "no Patroni member is left, and this member has all WAL: Howdah leads on",
                .actions = {ClaimRecord{}}};
}

}  // namespace howdah::ha
