#include "repo/plan/backup_summary.h"

#include <fmt/format.h>

#include <algorithm>

namespace howdah::repo {

void SizeSum::add(const ManifestFile& file) {
    const bool own = file.reference.empty();
    const auto stored = file.stored_size == 0 ? file.size : file.stored_size;
    const auto map = file.blocks ? file.blocks->map_size : 0;
    sizes_.total += file.size;
    sizes_.stored_total += stored;
    maps_ += map;
    if (own) {
        sizes_.delta += file.size;
        sizes_.stored_delta += stored;
        own_maps_ += map;
    }
    error_ = error_ || file.pages == PagesFound::bad;
}

BackupSizes SizeSum::sizes(bool block_incremental) const {
    auto sizes = sizes_;
    if (block_incremental) {
        sizes.map_total = maps_;
        sizes.map_delta = own_maps_;
    }
    return sizes;
}

BackupSummary summary_of(const ManifestHeader& header, const SizeSum& sum) {
    const auto& options = header.options;
    BackupSummary backup{.written_by = header.written_by,
                         .annotations = header.annotations,
                         .wal_start = header.wal_start,
                         .wal_stop = header.wal_stop,
                         .error = sum.error(),
                         .sizes = sum.sizes(header.block_incremental),
                         .lsn_start = header.lsn_start,
                         .lsn_stop = header.lsn_stop,
                         .prior = header.prior,
                         .references = header.references,
                         .started = header.started,
                         .stopped = header.stopped,
                         .type = header.type,
                         .history_id = header.history_id,
                         .options = {.archive_check = options.archive_check,
                                     .archive_copy = options.archive_copy,
                                     .backup_standby = options.backup_standby.value_or(false),
                                     .checksum_page = options.checksum_page.value_or(false),
                                     .compress = options.compress != CompressType::none,
                                     .hardlink = options.hardlink,
                                     .online = options.online}};
    std::erase(backup.references, header.label);
    std::ranges::sort(backup.references);
    return backup;
}

BackupSummary summary_of(const Manifest& manifest) {
    SizeSum sum;
    for (std::size_t i = 0; i < manifest.files.size(); ++i) {
        sum.add(manifest.files.at(i));
    }
    return summary_of(manifest.header, sum);
}

namespace {

void remove_lost(BackupInfo& info, const std::set<Label>& with_manifest,
                 std::vector<Reconciled>& changes) {
    std::vector<Label> listed;
    for (const auto& [label, backup] : info.backups) {
        listed.push_back(label);
    }
    for (const auto& label : listed) {
        if (!info.backups.contains(label) || with_manifest.contains(label)) {
            continue;
        }
        for (const auto& gone : info.with_dependants(label)) {
            info.backups.erase(gone);
            changes.push_back({.label = gone,
                               .why = gone == label
                                          ? "it has no backup.manifest"
                                          : "it needs " + label.text() + ", which is gone"});
        }
    }
}

bool fits(const BackupInfo& info, const UnlistedBackup& backup) {
    const auto found = info.history.find(backup.summary.history_id);
    const bool prior_listed = !backup.summary.prior || info.backups.contains(*backup.summary.prior);
    return found != info.history.end() && prior_listed &&
           found->second.system_id == backup.cluster.system_id &&
           found->second.version == backup.cluster.version;
}

}  // namespace

std::vector<Reconciled> reconcile(BackupInfo& info, const std::set<Label>& with_manifest,
                                  std::vector<UnlistedBackup> unlisted) {
    std::vector<Reconciled> changes;
    remove_lost(info, with_manifest, changes);
    std::ranges::sort(unlisted, {}, &UnlistedBackup::label);  // a prior comes before what needs it
    for (auto& backup : unlisted) {
        if (!info.backups.contains(backup.label) && fits(info, backup)) {
            changes.push_back({.label = backup.label,
                               .added = true,
                               .why = "it has a backup.manifest that fits this stanza"});
            info.backups.emplace(backup.label, std::move(backup.summary));
        }
    }
    return changes;
}

}  // namespace howdah::repo
