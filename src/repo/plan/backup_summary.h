#pragma once

#include <set>
#include <string>
#include <vector>

#include "repo/info/backup_info.h"
#include "repo/manifest/manifest.h"

namespace howdah::repo {

/// Adds up what backup.info tells of a backup's files, one by one as they come.
class SizeSum {
public:
    void add(const ManifestFile& file);
    /// `block_incremental`: of the manifest; only then the sizes of maps are told.
    BackupSizes sizes(bool block_incremental) const;
    /// A page checksum was wrong.
    bool error() const { return error_; }

private:
    BackupSizes sizes_{};
    std::uint64_t maps_ = 0;
    std::uint64_t own_maps_ = 0;
    bool error_ = false;
};

/// The entry of a finished backup in backup.info.
BackupSummary summary_of(const ManifestHeader& header, const SizeSum& sum);
BackupSummary summary_of(const Manifest& manifest);

/// One thing that reconcile() changed.
struct Reconciled {
    Label label{};
    bool added = false;  ///< else removed
    std::string why{};
};

/// A backup that has a backup.manifest, but does not stand in backup.info.
struct UnlistedBackup {
    Label label{};
    BackedUpCluster cluster{};
    BackupSummary summary{};
};

/// Brings backup.info in line with the folders, as backup, expire and annotate do first: entries
/// without a manifest go, with all that need them; backups that fit the history, and whose prior is
/// listed, are added. `with_manifest`: labels of the folders that have a backup.manifest (its copy
/// does not count). `unlisted`: in any order. Returns what changed; save the info if that is not
/// empty.
std::vector<Reconciled> reconcile(BackupInfo& info, const std::set<Label>& with_manifest,
                                  std::vector<UnlistedBackup> unlisted);

}  // namespace howdah::repo
