#include "backup/command/known_backups.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "backup/options/exit_code.h"
#include "repo/paths.h"
#include "repo/plan/backup_summary.h"

namespace howdah::backup {
namespace {

Result<std::set<repo::Label>> with_manifest(Repository& repository, const std::string& stanza) {
    std::set<repo::Label> found;
    HD_TRY(const auto folders, backup_folders(repository, stanza));
    for (const auto& label : folders) {
        HD_TRY(const auto manifest, repository.files().stat(repo::manifest_path(stanza, label)));
        if (manifest) {
            found.insert(label);
        }
    }
    return found;
}

}  // namespace

std::string_view base_of(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

Result<std::vector<repo::Label>> backup_folders(Repository& repository, const std::string& stanza) {
    std::vector<repo::Label> labels;
    HD_TRY_VOID(repository.files().list(repo::backup_folder(stanza), [&](const auto& entry) {
        auto label = repo::Label::parse(base_of(entry.path));
        if (label && entry.kind == files::EntryKind::folder) {
            labels.push_back(*std::move(label));
        }
        return Result<>{};
    }));
    std::ranges::sort(labels);
    return labels;
}

Result<std::optional<repo::Label>> newest_label(Repository& repository, const std::string& stanza) {
    HD_TRY(const auto folders, backup_folders(repository, stanza));
    auto newest = folders.empty() ? std::nullopt : std::optional(folders.back());
    std::string last_year;
    const auto history = repo::backup_folder(stanza) + "/backup.history";
    HD_TRY_VOID(repository.files().list(history, [&](const files::Entry& entry) {
        last_year = entry.kind == files::EntryKind::folder ? entry.path : last_year;
        return Result<>{};
    }));
    if (last_year.empty()) {
        return newest;
    }
    HD_TRY_VOID(repository.files().list(last_year, [&](const files::Entry& entry) {
        const auto name = base_of(entry.path);
        auto label = repo::Label::parse(name.substr(0, name.find('.')));
        if (label && (!newest || *newest < *label)) {
            newest = *std::move(label);
        }
        return Result<>{};
    }));
    return newest;
}

Result<repo::BackupInfo> known_backups(const Site& site, Repository& repository, bool dry) {
    auto info = repository.backup_info(site.stanza());
    if (!info && info.error().code == Errc::not_found) {
        return fail_with(
            ExitCode::file_missing, Errc::not_found,
            fmt::format("{}: stanza '{}' has no backup.info", repository.name(), site.stanza()),
            "has stanza-create been run?");
    }
    if (!info) {
        return std::unexpected(std::move(info).error().within(repository.name()));
    }
    HD_TRY(const auto found, with_manifest(repository, site.stanza()));
    std::vector<repo::UnlistedBackup> unlisted;
    for (const auto& label : found) {
        if (info->backups.contains(label)) {
            continue;
        }
        const auto manifest = repository.manifest(site.stanza(), label);
        if (!manifest) {
            site.notes.warn(fmt::format("backup '{}' cannot be added to backup.info: {}",
                                        label.text(), manifest.error().message));
            continue;
        }
        unlisted.push_back({.label = label,
                            .cluster = manifest->header.cluster,
                            .summary = repo::summary_of(*manifest)});
    }
    const auto changes = repo::reconcile(*info, found, std::move(unlisted));
    for (const auto& change : changes) {
        site.notes.warn(change.added
                            ? fmt::format("backup '{}' found in repository added to backup.info",
                                          change.label.text())
                            : fmt::format("backup '{}' removed from backup.info: {}",
                                          change.label.text(), change.why));
    }
    if (!changes.empty() && !dry) {
        info->written_by = written_by;
        HD_TRY_VOID(repository.save(site.stanza(), *info));
    }
    return info;
}

std::chrono::local_seconds local_time(std::int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm local{};
    localtime_r(&time, &local);
    return std::chrono::local_seconds(std::chrono::seconds(seconds + local.tm_gmtoff));
}

}  // namespace howdah::backup
