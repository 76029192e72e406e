#include "repo/plan/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace howdah::repo {
namespace {

using Fates = std::map<Label, BackupFate>;

constexpr std::int64_t day = 86400;

std::string plural(std::uint32_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void decide(Fates& fates, const Label& label, bool stays, std::string why) {
    fates[label] = BackupFate{.label = label, .stays = stays, .why = std::move(why)};
}

/// Labels of these types that still stay, newest first.
std::vector<Label> newest(const BackupInfo& info, const Fates& fates, bool with_diff) {
    std::vector<Label> labels;
    for (auto it = info.backups.rbegin(); it != info.backups.rend(); ++it) {
        const auto& label = it->first;
        const bool counts =
            label.type() == BackupType::full || (with_diff && label.type() == BackupType::diff);
        const auto fate = fates.find(label);
        if (counts && (fate == fates.end() || fate->second.stays)) {
            labels.push_back(label);
        }
    }
    return labels;
}

void full_by_count(const BackupInfo& info, std::uint32_t count, Fates& fates) {
    const auto fulls = newest(info, fates, false);
    for (std::size_t i = 0; i < fulls.size(); ++i) {
        const bool stays = i < count;
        decide(fates, fulls[i], stays,
               fmt::format("{} the newest {}", stays ? "one of" : "older than",
                           plural(count, "full backup")));
    }
}

/// The newest one that is older than the time stays: without it nothing reaches back that far.
void full_by_time(const BackupInfo& info, std::uint32_t days, std::int64_t now, Fates& fates) {
    bool reached = false;
    for (const auto& label : newest(info, fates, false)) {
        const bool old = info.backups.at(label).stopped < now - days * day;
        const auto span = plural(days, "day");
        if (!old) {
            decide(fates, label, true, fmt::format("younger than {}", span));
        } else if (!reached) {
            decide(fates, label, true, fmt::format("needed to restore to {} ago", span));
        } else {
            decide(fates, label, false, fmt::format("older than what reaches {} back", span));
        }
        reached = reached || old;
    }
}

void diffs(const BackupInfo& info, std::uint32_t count, Fates& fates) {
    const auto labels = newest(info, fates, true);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i].type() == BackupType::diff) {
            const bool stays = i < count;
            decide(fates, labels[i], stays,
                   fmt::format("{} the newest {} full or differential backups",
                               stays ? "one of" : "older than", count));
        }
    }
}

/// Whoever needs a backup that goes, goes with it. Labels sort by age, so that one pass does.
void dependants(const BackupInfo& info, Fates& fates) {
    for (const auto& [label, backup] : info.backups) {
        const auto prior = backup.prior ? fates.find(*backup.prior) : fates.end();
        if (prior != fates.end() && !prior->second.stays) {
            decide(fates, label, false, fmt::format("needs {}, which goes", prior->first.text()));
        }
    }
}

void the_others(const BackupInfo& info, Fates& fates) {
    for (const auto& [label, backup] : info.backups) {
        if (fates.contains(label)) {
            continue;
        }
        decide(fates, label, true,
               label.type() == BackupType::full
                   ? "repo-retention-full is not set"
                   : fmt::format("{} stays, and no retention says otherwise",
                                 backup.prior.value_or(label.full()).text()));
    }
}

std::vector<BackupFate> in_order(Fates fates) {
    std::vector<BackupFate> list;
    for (auto& [label, fate] : fates) {
        list.push_back(std::move(fate));
    }
    return list;
}

}  // namespace

std::vector<BackupFate> backup_fates(const BackupInfo& info, const Retention& retention,
                                     std::int64_t now) {
    Fates fates;
    if (retention.full && retention.full_by_time) {
        full_by_time(info, *retention.full, now, fates);
    } else if (retention.full) {
        full_by_count(info, *retention.full, fates);
    }
    dependants(info, fates);
    if (retention.diff) {
        diffs(info, *retention.diff, fates);
        dependants(info, fates);
    }
    the_others(info, fates);
    return in_order(std::move(fates));
}

Result<std::vector<BackupFate>> fates_without(const BackupInfo& info, const Label& label) {
    if (!info.backups.contains(label)) {
        return fail(Errc::not_found, fmt::format("there is no backup {}", label.text()));
    }
    const auto going = info.with_dependants(label);
    const bool full_left = std::ranges::any_of(info.backups, [&](const auto& entry) {
        return entry.second.history_id == info.current && entry.first.type() == BackupType::full &&
               std::ranges::find(going, entry.first) == going.end();
    });
    if (label.type() == BackupType::full && !full_left &&
        info.backups.at(label).history_id == info.current) {
        return fail(Errc::unsafe,
                    fmt::format("{} is the last full backup of the current cluster", label.text()),
                    "take another full backup first");
    }
    Fates fates;
    for (const auto& [other, backup] : info.backups) {
        const bool stays = std::ranges::find(going, other) == going.end();
        decide(fates, other, stays,
               stays            ? "not asked for"
               : other == label ? "asked for by name"
                                : fmt::format("needs {}, which goes", label.text()));
    }
    return in_order(std::move(fates));
}

BackupInfo after(BackupInfo info, const std::vector<BackupFate>& fates) {
    for (const auto& fate : fates) {
        if (!fate.stays) {
            info.backups.erase(fate.label);
        }
    }
    return info;
}

bool history_stays(const Label& label, const BackupInfo& info,
                   std::optional<std::chrono::local_seconds> since) {
    if (!since || info.backups.contains(label)) {
        return true;
    }
    const auto limit = next_label({.type = BackupType::full, .now = *since});
    // Of "FULL_20261123-080001I" the last part says when; of a full one, the first.
    const auto& text = label.text();
    const auto begin = label.type() == BackupType::full ? 0 : label.full().text().size() + 1;
    return !limit || text.compare(begin, 15, limit->text(), 0, 15) >= 0;
}

}  // namespace howdah::repo
