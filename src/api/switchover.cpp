#include "api/switchover.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "api/answers.h"
#include "api/overview.h"
#include "base/timestamp.h"

namespace howdah::api {

using Json = nlohmann::ordered_json;

namespace {

struct Asked {
    Action action{};  ///< a failover that names a leader counts as a switchover
    std::string leader{}, candidate{}, scheduled_at{};
    std::string verb() const { return action == Action::switchover ? "switchover" : "failover"; }
};

std::string text_at(const Json& body, const char* key) {
    const auto it = body.find(key);
    return it != body.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::optional<io::HttpResponse> refuse_time(const Asked& asked, std::int64_t now) {
    const auto when = parse_iso8601(asked.scheduled_at);
    if (!when) {
        return text_answer(
            422,
            "Unable to parse scheduled timestamp. It should be in an unambiguous format, "
            "e.g. ISO 8601");
    }
    if (!when->has_zone) {
        return text_answer(400,
                           "Timezone information is mandatory for the scheduled " + asked.verb());
    }
    if (when->seconds < now) {
        return text_answer(422, "Cannot schedule " + asked.verb() + " in the past");
    }
    return std::nullopt;
}

/// What is wrong with the request itself.
std::optional<io::HttpResponse> refuse_form(Action path, const Asked& asked, const agent::Status& s,
                                            std::int64_t now) {
    const bool scheduled = !asked.scheduled_at.empty();
    if (path == Action::failover && asked.candidate.empty()) {
        return text_answer(400, "Failover could be performed only to a specific candidate");
    }
    if (path == Action::switchover && asked.leader.empty()) {
        return text_answer(400, "Switchover could be performed only from a specific leader");
    }
    if (scheduled && asked.action == Action::failover) {
        return text_answer(400, "Failover can't be scheduled");
    }
    if (scheduled && s.pause) {
        return text_answer(400, "Can't schedule switchover in the paused state");
    }
    if (scheduled) {
        if (auto refused = refuse_time(asked, now)) {
            return refused;
        }
    }
    if (s.pause && asked.candidate.empty()) {
        return text_answer(400,
                           "Switchover is possible only to a specific candidate in a paused state");
    }
    if (asked.action == Action::switchover && asked.leader == asked.candidate) {
        return text_answer(400, "Switchover target and source are the same");
    }
    return std::nullopt;
}

/// What the cluster doesn't fit.
std::optional<io::HttpResponse> refuse_cluster(const Asked& asked, const agent::Status& s) {
    const auto& cluster = s.cluster;
    const auto mode = mode_of(cluster);
    const bool plain_sync = asked.action == Action::switchover && mode.synchronous && !mode.quorum;
    if (asked.action == Action::switchover && asked.leader != cluster.leader_name()) {
        return text_answer(412, "leader name does not match");
    }
    if (!asked.candidate.empty()) {
        if (plain_sync && !is_sync_standby(cluster, asked.candidate)) {
            return text_answer(412, "candidate name does not match with sync_standby");
        }
        return cluster.member(asked.candidate) == nullptr
                   ? std::optional(text_answer(412, "candidate does not exists"))
                   : std::nullopt;
    }
    const auto others = std::ranges::count_if(
        cluster.members, [&](const ha::Member& m) { return m.name != cluster.leader_name(); });
    if (plain_sync && std::ranges::none_of(cluster.members, [&](const ha::Member& m) {
            return is_sync_standby(cluster, m.name);
        })) {
        return text_answer(412, asked.verb() + " is not possible: can not find sync_standby");
    }
    if (others == 0) {
        return text_answer(
            412, asked.verb() + " is not possible: cluster does not have members except leader");
    }
    return std::nullopt;
}

}  // namespace

Checked check(Action action, const io::HttpRequest& request, const agent::Status& status,
              std::int64_t wall_seconds) {
    if (!request.headers.contains("content-length")) {
        return error_page(411);
    }
    const auto body = object_of(request.body);
    if (body.empty()) {
        return error_page(400);
    }
    Asked asked{.action = action,
                .leader = text_at(body, "leader"),
                .candidate = text_at(body, "candidate"),
                .scheduled_at = text_at(body, "scheduled_at")};
    if (asked.candidate.empty()) {
        asked.candidate = text_at(body, "member");
    }
    const auto loss = body.find("accept_loss");
    const bool accept_loss = loss != body.end() && *loss == true;
    if (accept_loss && (action != Action::failover || !asked.leader.empty())) {
        return text_answer(400, "accept_loss goes with a failover to a candidate alone");
    }
    if (!asked.leader.empty()) {
        asked.action = Action::switchover;
    }
    if (auto refused = refuse_form(action, asked, status, wall_seconds)) {
        return *std::move(refused);
    }
    if (!status.dcs_reachable) {
        return text_answer(503, "DCS is not accessible");
    }
    if (!asked.scheduled_at.empty()) {
        return agent::SwitchoverRequest{.leader = asked.leader,
                                        .candidate = asked.candidate,
                                        .scheduled_at = asked.scheduled_at};
    }
    if (auto refused = refuse_cluster(asked, status)) {
        return *std::move(refused);
    }
    return agent::SwitchoverRequest{
        .leader = asked.leader, .candidate = asked.candidate, .accept_loss = accept_loss};
}

}  // namespace howdah::api
