#include <algorithm>
#include <nlohmann/json.hpp>

#include "ha/rules.h"

// Who may claim after this holder (safety-model.md, L6, G8): one member a transaction, never the
// holder itself.

namespace howdah::ha {

namespace {

/// Its member key has ended with its lease before, so it has been away for a minute and more.
constexpr Nanos away_for_good = Seconds(30);

bool leads_undisturbed(const View& v) {
    return runs_as_primary(v) && v.cluster && !v.order && !v.on_promises &&
           !v.memory.decided.switching && !v.tenure->change_unresolved;
}

bool streams(const Member& m) {
    return !m.is_patroni() && m.replication_state == "streaming";
}

Plan with_claimers(const View& v, std::vector<Uuid> claimers, std::string why) {
    std::sort(claimers.begin(), claimers.end());
    auto document = failsafe_document(claimers, v.cluster->members);
    return {
        .why = std::move(why),
        .actions = {SetClaimers{.claimers = std::move(claimers), .failsafe = std::move(document)}}};
}

}  // namespace

/// Before the barrier too: in strict mode it may need standbys that came after the claim.
RuleResult rule::admit_claimer(const View& v) {
    if (!leads_undisturbed(v)) {
        return std::nullopt;
    }
    auto claimers = v.tenure->record.claimers;
    for (const auto& member : v.cluster->members) {
        const auto known =
            std::find(claimers.begin(), claimers.end(), member.uuid) != claimers.end();
        if (streams(member) && !known) {
            claimers.push_back(member.uuid);
            return with_claimers(v, std::move(claimers),
                                 member.name + " streams: it may claim from now on");
        }
    }
    return std::nullopt;
}

/// A member that is gone would keep the others from promising (G3). Not the last one besides the
/// holder: it is who could take over once it is back.
RuleResult rule::dismiss_claimer(const View& v) {
    if (!leads_undisturbed(v) || !holds_as(v, RecordState::primary) || !v.cluster_fresh ||
        v.memory.noticed.missing_since.never() ||
        v.now < v.memory.noticed.missing_since + away_for_good) {
        return std::nullopt;
    }
    auto claimers = v.tenure->record.claimers;
    const auto another =
        std::any_of(v.cluster->members.begin(), v.cluster->members.end(), [&](const Member& m) {
            return streams(m) && m.uuid != v.self.uuid &&
                   std::find(claimers.begin(), claimers.end(), m.uuid) != claimers.end();
        });
    if (!another || v.tenure->record.sync.voter(v.memory.noticed.missing_claimer) != nullptr) {
        return std::nullopt;
    }
    std::erase(claimers, v.memory.noticed.missing_claimer);
    return with_claimers(v, std::move(claimers),
                         "a member that has been away for long may not claim until it is back");
}

RuleResult rule::list_failsafe(const View& v) {
    if (!leads_undisturbed(v) || !holds_as(v, RecordState::primary) || !v.settings.failsafe) {
        return std::nullopt;
    }
    const auto document = failsafe_document(v.tenure->record.claimers, v.cluster->members);
    if (!document || *document == v.cluster->failsafe_json) {
        return std::nullopt;
    }
    return with_claimers(v, v.tenure->record.claimers, "telling Patroni's tools who may claim");
}

std::optional<std::string> failsafe_document(const std::vector<Uuid>& claimers,
                                             const std::vector<Member>& members) {
    auto document = nlohmann::ordered_json::object();
    for (const auto& member : members) {
        if (std::find(claimers.begin(), claimers.end(), member.uuid) != claimers.end()) {
            document[member.name] = member.api_url;
        }
    }
    if (document.size() != claimers.size()) {
        return std::nullopt;
    }
    return document.dump();
}

Uuid missing_claimer(const View& v) {
    if (!v.tenure || !v.cluster) {
        return {};
    }
    for (const auto& uuid : v.tenure->record.claimers) {
        if (uuid != v.self.uuid && v.cluster->member_by_uuid(uuid) == nullptr) {
            return uuid;
        }
    }
    return {};
}

}  // namespace howdah::ha
