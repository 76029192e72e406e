#include "ha/sync.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/mutant.h"
#include "pg/sync_standbys.h"

namespace howdah::ha {
namespace {

/// Nobody may bear this name, so commits wait for ever (patroni-compatibility.md 10.2).
constexpr std::string_view placeholder = "__patroni_strict_sync_replica_placeholder__";

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return text;
}

bool plain_identifier(const std::string& name) {
    const auto word = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '$'; };
    return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
           name[0] != '$' && std::all_of(name.begin(), name.end(), word) &&
           lower(name) != "first" && lower(name) != "any";
}

std::string quoted(const std::string& name) {
    if (plain_identifier(name)) {
        return name;
    }
    std::string text = "\"";
    for (const auto c : name) {
        text += c == '"' ? std::string("\"\"") : std::string(1, c);
    }
    return text + "\"";
}

std::vector<std::string> names_of(const std::vector<Voter>& voters) {
    std::vector<std::string> names;
    for (const auto& voter : voters) {
        names.push_back(voter.name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<Voter> united(const std::vector<Voter>& a, const std::vector<Voter>& b) {
    auto all = a;
    for (const auto& voter : b) {
        if (std::find(all.begin(), all.end(), voter) == all.end()) {
            all.push_back(voter);
        }
    }
    std::sort(all.begin(), all.end(),
              [](const Voter& x, const Voter& y) { return x.name < y.name; });
    return all;
}

}  // namespace

std::string_view name_of(SyncMode mode) {
    static constexpr std::array<std::string_view, 3> names{"off", "on", "quorum"};
    return names.at(static_cast<std::size_t>(mode));
}

const Voter* SyncSet::voter(std::string_view uuid) const {
    const auto found =
        std::find_if(voters.begin(), voters.end(), [&](const Voter& v) { return v.uuid == uuid; });
    return found == voters.end() ? nullptr : &*found;
}

std::string render(const StandbyNames& s) {
    if (s.none()) {
        return {};
    }
    if (s.blocked) {
        return s.mode == SyncMode::quorum ? fmt::format("ANY 1 ({})", placeholder)
                                          : std::string(placeholder);
    }
    std::vector<std::string> names;
    for (const auto& name : s.names) {
        names.push_back(quoted(name));
    }
    const auto list = fmt::format("{}", fmt::join(names, ","));
    if (s.mode == SyncMode::quorum) {
        return fmt::format("ANY {} ({})", s.wait_for, list);
    }
    return s.names.size() == 1 ? list : fmt::format("{} ({})", s.wait_for, list);
}

Result<StandbyNames> parse_standby_names(const std::string& text) {
    using Method = pg::SyncStandbys::Method;
    HD_TRY(auto spec, pg::SyncStandbys::parse(text));
    if (spec.method == Method::none) {
        return StandbyNames{};
    }
    const auto mode = spec.method == Method::any ? SyncMode::quorum : SyncMode::on;
    if (spec.names == std::vector{std::string(placeholder)}) {
        return StandbyNames{.mode = mode, .blocked = true};
    }
    const auto named = static_cast<int>(spec.names.size());
    const auto everybody = std::find(spec.names.begin(), spec.names.end(), "*") != spec.names.end();
    if (everybody || spec.count > named || (mode == SyncMode::on && spec.count != named)) {
        return StandbyNames{};
    }
    std::sort(spec.names.begin(), spec.names.end());
    return StandbyNames{.mode = mode, .names = std::move(spec.names), .wait_for = spec.count};
}

std::string sync_document(const SyncSet& set, const std::string& leader_name) {
    const auto n = static_cast<int>(set.voters.size());
    const auto tell = !set.empty() && (set.mode == SyncMode::quorum || set.copies == n);
    nlohmann::ordered_json doc{{"leader", nullptr}, {"quorum", 0}, {"sync_standby", nullptr}};
    if (set.mode != SyncMode::off) {
        doc["leader"] = leader_name;
    }
    if (tell) {
        doc["quorum"] = n - set.copies;
        doc["sync_standby"] = fmt::format("{}", fmt::join(names_of(set.voters), ","));
    }
    return doc.dump();
}

StandbyNames names_at_promotion(const SyncSet& published, const std::string& own_uuid) {
    if (published.mode == SyncMode::off) {
        return {};
    }
    StandbyNames names{.mode = published.mode};
    for (const auto& voter : published.voters) {
        if (voter.uuid != own_uuid) {
            names.names.push_back(voter.name);
        }
    }
    std::sort(names.names.begin(), names.names.end());
    const auto own_copy = published.voter(own_uuid) != nullptr ? 1 : 0;
    names.wait_for = published.empty() ? 0 : published.copies - own_copy;
    if (published.strict) {
        names.wait_for = std::max(names.wait_for, 1);
    }
    const auto others = static_cast<int>(names.names.size());
    if (names.wait_for > others) {
        return {.mode = published.mode, .blocked = true};
    }
    if (names.wait_for == 0) {
        return {.mode = published.mode};
    }
    // ANY whatever the mode: fewer than all of the old voters may be needed.
    if (names.wait_for < others) {
        names.mode = SyncMode::quorum;
    }
    return names;
}

/// A voter that was promoted waits for the other voters, and is one itself in the published set.
/// That set says less than is true, and with others united to it the lost primary's vote would be
/// needed.
std::optional<SyncSet> set_of_the_promotion(const SyncChange& c) {
    if (c.published.voter(c.own_uuid) == nullptr || c.effective.none() || c.effective.blocked ||
        c.caught_up_in_force < c.effective.wait_for) {
        return std::nullopt;
    }
    auto set = c.published;
    std::erase_if(set.voters, [&](const Voter& voter) { return voter.uuid == c.own_uuid; });
    set.copies = c.effective.wait_for;
    return names_of(set.voters) == c.effective.names ? std::optional(set) : std::nullopt;
}

SyncStep next_step(const SyncChange& c) {
    const auto setting_is_right = render(c.effective) == render(c.wanted);
    if (c.wanted.blocked) {
        // Nobody to wait for in strict mode: stop acknowledging; the published set stays true.
        if (!setting_is_right) {
            return {.kind = SyncStep::Kind::set, .names = c.wanted};
        }
        auto same_voters = c.published;
        same_voters.mode = c.wanted.mode;
        same_voters.strict = c.strict;
        return same_voters == c.published
                   ? SyncStep{}
                   : SyncStep{.kind = SyncStep::Kind::publish, .set = same_voters};
    }
    const SyncSet goal{.mode = c.wanted.mode,
                       .strict = c.strict,
                       .voters = c.wanted_voters,
                       .copies = c.wanted.wait_for};
    if (setting_is_right && c.published == goal) {
        return {};
    }
    if (auto without_self = set_of_the_promotion(c)) {
        return {.kind = SyncStep::Kind::publish, .set = *std::move(without_self)};
    }
    if (!c.published.empty() && !HD_MUTANT(sync_set_published_late)) {
        // What is published meanwhile must cover the new setting as it does the old one. The
        // primary itself holds everything, so as a voter it is one copy more.
        auto joint = c.published;
        joint.voters = united(c.published.voters, c.wanted_voters);
        const auto own = joint.voter(c.own_uuid) != nullptr ? 1 : 0;
        joint.copies = std::min(c.published.copies, c.wanted.wait_for + own);
        if (joint.empty()) {
            // In the old mode still: it is off once PostgreSQL waits for nobody.
            joint.voters.clear();
            joint.copies = 0;
        }
        const auto covers_already = joint.voters == c.published.voters &&
                                    joint.copies == c.published.copies && !joint.empty();
        if (!covers_already && !(setting_is_right && joint.empty())) {
            return {.kind = SyncStep::Kind::publish, .set = joint};
        }
    }
    if (!setting_is_right) {
        return {.kind = SyncStep::Kind::set, .names = c.wanted};
    }
    if (c.caught_up < c.wanted.wait_for) {
        return {.kind = SyncStep::Kind::wait, .names = c.wanted};
    }
    return {.kind = SyncStep::Kind::publish, .set = goal};
}

}  // namespace howdah::ha
