#include "api/switchover.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "api/answers.h"
#include "api/overview.h"

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

std::optional<ParsedTime> parse_iso8601(const std::string& text) {
    int y = 0;
    unsigned mo = 0, d = 0;
    int h = 0, mi = 0, s = 0, used = 0;
    char gap = 0;
    if (std::sscanf(text.c_str(), "%4d-%2u-%2u%c%2d:%2d%n", &y, &mo, &d, &gap, &h, &mi, &used) !=
            6 ||
        (gap != 'T' && gap != ' ')) {
        return std::nullopt;
    }
    std::string rest = text.substr(std::size_t(used));
    if (int more = 0; std::sscanf(rest.c_str(), ":%2d%n", &s, &more) == 1) {
        rest = rest.substr(std::size_t(more));
    }
    if (rest.starts_with('.')) {
        const auto end = rest.find_first_not_of("0123456789", 1);
        rest = end == std::string::npos ? "" : rest.substr(end);
    }
    const std::chrono::year_month_day date{std::chrono::year(y), std::chrono::month(mo),
                                           std::chrono::day(d)};
    if (!date.ok() || h > 23 || mi > 59 || s > 60) {
        return std::nullopt;
    }
    ParsedTime out{.seconds = std::chrono::sys_days(date).time_since_epoch().count() * 86400LL +
                              h * 3600 + mi * 60 + s,
                   .has_zone = !rest.empty()};
    int zone_h = 0, zone_m = 0;
    char sign = 0;
    if (rest.empty() || rest == "Z" || rest == "z") {
        return out;
    }
    if (std::sscanf(rest.c_str(), "%c%2d:%2d", &sign, &zone_h, &zone_m) < 2 &&
        std::sscanf(rest.c_str(), "%c%2d%2d", &sign, &zone_h, &zone_m) < 2) {
        return std::nullopt;
    }
    if (sign != '+' && sign != '-') {
        return std::nullopt;
    }
    out.seconds -= (sign == '+' ? 1 : -1) * (zone_h * 3600 + zone_m * 60);
    return out;
}

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
    if (!asked.leader.empty()) {
        asked.action = Action::switchover;
    }
    if (auto refused = refuse_form(action, asked, status, wall_seconds)) {
        return *std::move(refused);
    }
    if (!asked.scheduled_at.empty()) {
        return text_answer(501, "Scheduled switchover is not supported by this version of Howdah");
    }
    if (!status.dcs_reachable) {
        return text_answer(503, "DCS is not accessible");
    }
    if (auto refused = refuse_cluster(asked, status)) {
        return *std::move(refused);
    }
    return agent::SwitchoverRequest{.leader = asked.leader, .candidate = asked.candidate};
}

}  // namespace howdah::api
