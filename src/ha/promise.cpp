#include "ha/promise.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/mutant.h"
#include "ha/vote.h"

namespace howdah::ha {

std::string render(const PromiseRequest& r) {
    return nlohmann::ordered_json{{"epoch", r.epoch},
                                  {"incarnation", r.incarnation},
                                  {"holder", r.holder},
                                  {"holder_name", r.holder_name},
                                  {"round", r.round},
                                  {"set", r.set},
                                  {"set_version", r.set_version},
                                  {"ttl_ms", r.ttl.count()}}
        .dump();
}

Result<PromiseRequest> parse_promise_request(const std::string& json) {
    try {
        const auto doc = nlohmann::json::parse(json);
        return PromiseRequest{.epoch = doc.at("epoch"),
                              .incarnation = doc.at("incarnation"),
                              .holder = doc.at("holder"),
                              .holder_name = doc.at("holder_name"),
                              .round = doc.at("round"),
                              .set = doc.at("set").get<std::vector<Uuid>>(),
                              .set_version = doc.at("set_version"),
                              .ttl = Millis(doc.at("ttl_ms").get<std::int64_t>())};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, std::string("promise request: ") + e.what());
    }
}

std::string render(const PromiseAnswer& a) {
    return nlohmann::ordered_json{{"uuid", a.uuid},         {"name", a.name},
                                  {"promised", a.promised}, {"refused", a.refused},
                                  {"epoch", a.epoch},       {"incarnation", a.incarnation},
                                  {"round", a.round}}
        .dump();
}

Result<PromiseAnswer> parse_promise_answer(const std::string& json) {
    try {
        const auto doc = nlohmann::json::parse(json);
        return PromiseAnswer{.uuid = doc.at("uuid"),
                             .name = doc.at("name"),
                             .promised = doc.at("promised"),
                             .refused = doc.at("refused"),
                             .epoch = doc.at("epoch"),
                             .incarnation = doc.at("incarnation"),
                             .round = doc.at("round")};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, std::string("promise of a member: ") + e.what());
    }
}

std::string render(const Vouch& v) {
    return nlohmann::ordered_json{{"uuid", v.uuid},   {"holds", v.holds},
                                  {"epoch", v.epoch}, {"incarnation", v.incarnation},
                                  {"set", v.set},     {"remaining_ms", v.remaining.count()}}
        .dump();
}

Result<Vouch> parse_vouch(const std::string& json) {
    try {
        const auto doc = nlohmann::json::parse(json);
        return Vouch{.uuid = doc.at("uuid"),
                     .holds = doc.at("holds"),
                     .epoch = doc.at("epoch"),
                     .incarnation = doc.at("incarnation"),
                     .set = doc.at("set").get<std::vector<Uuid>>(),
                     .remaining = Millis(doc.at("remaining_ms").get<std::int64_t>())};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, std::string("vouch of a member: ") + e.what());
    }
}

std::optional<Nanos> vouched_for(const std::vector<Vouch>& answers, const Record& record,
                                 double clock_rate_bound) {
    std::vector<Uuid> needed = record.claimers;
    std::vector<Uuid> given;
    auto least = Nanos::max();
    for (const auto& v : answers) {
        if (v.epoch != record.epoch || v.incarnation != record.incarnation ||
            v.remaining <= Millis{} || v.holds != (v.uuid == record.holder)) {
            continue;
        }
        needed.insert(needed.end(), v.set.begin(), v.set.end());
        given.push_back(v.uuid);
        least = std::min(least, Nanos(HD_MUTANT(vouch_of_full_ttl) ? record.ttl : v.remaining));
    }
    needed.push_back(record.holder);
    const auto all = std::all_of(needed.begin(), needed.end(), [&](const Uuid& uuid) {
        return std::find(given.begin(), given.end(), uuid) != given.end();
    });
    if (!all) {
        return std::nullopt;
    }
    return Nanos(
        static_cast<Nanos::rep>(static_cast<double>(least.count()) / (1 + 3 * clock_rate_bound)));
}

std::string objection(const PromiseRequest& request, const Promiser& member) {
    if (member.may_hold) {
        return "this member holds the record, or may";
    }
    if (request.ttl <= Millis{}) {
        return "the request has no time";
    }
    if (leaps_too_far(request.epoch, std::max(member.stored_epoch,
                                              member.record ? member.record->epoch : Epoch{0}))) {
        return fmt::format("epoch {} is nobody's: {} is stored here", request.epoch,
                           member.stored_epoch);
    }
    const auto known = [&](Epoch epoch, const Uuid& incarnation) -> std::string {
        if (epoch > request.epoch) {
            return fmt::format("epoch {} is known here", epoch);
        }
        if (epoch == request.epoch && incarnation != request.incarnation) {
            return fmt::format("epoch {} is known here as another's", epoch);
        }
        return {};
    };
    if (auto why = known(member.stored_epoch, member.stored_incarnation); !why.empty()) {
        return why;
    }
    if (!member.record) {
        return {};
    }
    const auto& record = *member.record;
    if (auto why = known(record.epoch, record.incarnation); !why.empty()) {
        return why;
    }
    const auto given_up =
        record.state == RecordState::released || record.state == RecordState::handover;
    return record.epoch == request.epoch && given_up ? "this epoch has been given up" : "";
}

Instant promised_until(Instant now, const PromiseRequest& request, LeaseTimes known) {
    known.ttl = std::max(known.ttl, request.ttl);
    return now + known.candidate_wait();
}

PromiseRound::PromiseRound(PromiseRequest request, std::vector<Uuid> others, Instant sent)
    : request_(std::move(request)), missing_(std::move(others)), sent_(sent) {}

void PromiseRound::take(const PromiseAnswer& a) {
    if (a.epoch != request_.epoch || a.incarnation != request_.incarnation ||
        (a.round != request_.round && !HD_MUTANT(answers_without_round))) {
        return;
    }
    if (!a.promised) {
        refused_ = fmt::format("{} refused: {}", a.name, a.refused);
        return;
    }
    std::erase(missing_, a.uuid);
}

bool PromiseRound::complete() const {
    const auto may_be_missing = HD_MUTANT(majority_of_promises) ? request_.set.size() / 2 : 0;
    return refused_.empty() && missing_.size() <= may_be_missing;
}

std::string PromiseRound::why_not() const {
    if (!refused_.empty()) {
        return refused_;
    }
    return missing_.empty() ? "" : fmt::format("no answer from {}", fmt::join(missing_, ", "));
}

}  // namespace howdah::ha
