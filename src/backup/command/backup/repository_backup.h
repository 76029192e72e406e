#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backup/cluster_facts.h"
#include "backup/command/backup/archive_wait.h"
#include "backup/command/backup/copy_run.h"
#include "backup/command/backup/origin.h"
#include "backup/site.h"
#include "repo/info/archive_info.h"
#include "repo/info/backup_info.h"
#include "repo/manifest/manifest.h"

namespace howdah::backup {

/// What a backup has found out of the server, for all repositories that it goes into.
struct BackupFacts {
    std::optional<Origin> origin{};  ///< there after open()
    ClusterFacts cluster{};
    repo::BackupType type{};          ///< as asked for
    std::optional<WalPlace> start{};  ///< nullopt: offline
    std::int64_t started = 0;         ///< seconds since 1970, as the next ones
    std::int64_t copy_started = 0;    ///< after the listing; what changes later has another time
    std::vector<ServerTablespace> tablespaces{};
    std::vector<repo::ManifestDatabase> databases{};
    std::optional<BackupEnd> end{};
    std::int64_t stopped = 0;

    bool online() const { return origin->online(); }
};

/// A backup's part in one repository, which has a chain of its own: its prior backup, label, form
/// and manifest. Called in the order of the functions. `site`, `repository` and `facts` must
/// outlive it. Errors: those that backup() tells of.
class RepositoryBackup {
public:
    RepositoryBackup(Site& site, Repository& repository, BackupFacts& facts);

    const Repository& repository() const { return repository_; }

    /// The options fit this repository, and its stanza is there.
    Result<> open();
    /// The stanza is this cluster's; which backup this one builds on.
    Result<> prepare();
    /// A segment from before the backup has arrived: archiving works before hours are spent.
    Result<> await_segment(const std::string& segment);
    Result<> list();
    Result<> copy();
    /// The files that the end of the backup gave, the WAL, the manifest: now the backup counts.
    Result<> finish();

private:
    const Options& options() const { return site_.options; }
    const BackupOptions& order() const { return site_.options.backup; }
    repo::ManifestHeader& header() { return manifest_.header; }
    bool online() const { return facts_.online(); }
    const ServerFacts& server() const { return facts_.origin->facts; }

    Result<> check_cluster();
    void describe();
    Result<> choose_prior();
    Result<> choose_label();
    Result<> keep_alive();
    Result<> copy_files();
    Result<> make_folders();
    Result<> add_end();
    Result<> archive_copy(const std::vector<std::string>& stored);
    Result<> complete();
    Result<> save_info();
    NeededWal needed(const std::string& first, const std::string& last) const;

    Site& site_;
    Repository& repository_;
    BackupFacts& facts_;
    const RepositoryOptions& into_;
    repo::BackupInfo info_{};
    repo::ArchiveInfo archive_{};
    repo::BackupType type_{};  ///< full, where there is nothing to build on
    std::optional<repo::Manifest> prior_{};
    repo::Manifest manifest_{};
    std::optional<CopyRun> copies_{};
};

}  // namespace howdah::backup
