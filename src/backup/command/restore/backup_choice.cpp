#include "backup/command/restore/backup_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <ranges>

#include "backup/options/exit_code.h"

namespace howdah::backup {
namespace {

std::unexpected<Error> no_time(const std::string& text) {
    return fail_with(
        ExitCode::format, Errc::invalid, fmt::format("'{}' is no time", text),
        "as 2026-11-23 08:12:40, 2026-11-23 08:12:40.5+00 or 2026-11-23 08:12:40+05:30");
}

/// "+05:30", "-04", "+0100" -> seconds east; nullopt: none of these.
std::optional<std::int64_t> zone_seconds(std::string_view zone) {
    const auto sign = zone.front() == '-' ? -1 : 1;
    std::string digits;
    for (const auto c : zone.substr(1)) {
        if (c >= '0' && c <= '9') {
            digits += c;
        } else if (c != ':' || digits.size() != 2) {
            return std::nullopt;
        }
    }
    if (digits.size() != 2 && digits.size() != 4) {
        return std::nullopt;
    }
    const auto hours = std::stoi(digits.substr(0, 2));
    const auto minutes = digits.size() == 4 ? std::stoi(digits.substr(2)) : 0;
    return sign * (hours * 3600 + minutes * 60);
}

}  // namespace

Result<std::int64_t> target_seconds(const std::string& text) {
    std::tm parts{};
    const char* rest = strptime(text.c_str(), "%Y-%m-%d %H:%M:%S", &parts);
    if (rest == nullptr) {
        return no_time(text);
    }
    std::string_view behind = rest;
    if (behind.starts_with('.')) {
        behind.remove_prefix(std::min(behind.find_first_not_of("0123456789", 1), behind.size()));
    }
    parts.tm_isdst = -1;
    if (behind.empty()) {
        return mktime(&parts);
    }
    if (behind.front() != '+' && behind.front() != '-') {
        return no_time(text);
    }
    const auto east = zone_seconds(behind);
    return east ? Result<std::int64_t>(timegm(&parts) - *east) : no_time(text);
}

Result<std::optional<repo::Label>> choose_backup(const repo::BackupInfo& info,
                                                 const Wanted& wanted) {
    if (wanted.set != "latest") {
        auto label = repo::Label::parse(wanted.set);
        if (!label) {
            return std::unexpected(
                ending_with(ExitCode::backup_set_invalid, std::move(label).error()));
        }
        return info.backups.contains(*label) ? std::optional(*label) : std::nullopt;
    }
    for (const auto& [label, backup] : info.backups | std::views::reverse) {
        if (wanted.ended_before && backup.stopped >= *wanted.ended_before) {
            continue;
        }
        if (wanted.ended_at) {
            const auto stop = pg::Lsn::parse(backup.lsn_stop.value_or(""));
            if (!stop || *stop > *wanted.ended_at) {
                continue;
            }
        }
        if (backup.history_id != info.current) {
            return fail(Errc::unsafe,
                        fmt::format("the newest backup, {}, is of an earlier cluster of the stanza",
                                    label.text()),
                        fmt::format("--set={} restores it all the same", label.text()));
        }
        return label;
    }
    return std::nullopt;
}

}  // namespace howdah::backup
