#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backup/command/backup/stored_copy.h"
#include "backup/site.h"
#include "repo/manifest/manifest.h"
#include "repo/plan/bundle_plan.h"

namespace howdah::backup {

/// What all workers of a backup share.
struct CopyOrder {
    const Site& site;
    Repository& repository;
    std::string manifest_pass{};  ///< pass phrase of manifests
    std::string data{};           ///< the primary's data directory
    std::string standby_data{};   ///< that of a standby, for what it has as well; or empty
    int level = 0;                ///< of compression
    repo::Bundling bundling{};
    bool check_pages = false;
    std::optional<pg::Lsn> young_from{};    ///< where the backup began; nullopt: offline
    const repo::Manifest* prior = nullptr;  ///< of a diff or incr backup
    std::uint64_t save_every = 0;           ///< bytes copied between two saves of the manifest
};

/// Copies the files of a manifest into its backup's folder, and notes in the manifest what came of
/// each.
class CopyRun {
public:
    /// Called every now and then, by any worker. An error ends the run.
    using Beat = std::function<Result<>()>;

    /// `manifest`, and what the order refers to, must outlive the run.
    CopyRun(CopyOrder order, repo::Manifest& manifest, Beat beat);

    /// Files that are as in the prior backup refer to it; the others are to be copied. Errors:
    /// ExitCode::file_missing when there are none of these.
    Result<> plan();
    /// Copies them. Files that have vanished leave the manifest. Errors: of the first worker that
    /// failed, naming the file.
    Result<> run();
    /// A file of its own that is not one of the data directory, as backup_label; it stands in the
    /// manifest as sorted. `source` has `size` bytes.
    Result<> add(std::string name, files::Source& source, std::uint64_t size,
                 std::int64_t modified);

private:
    class LazySink;
    using Copied = std::optional<repo::ManifestFile>;  ///< nullopt: it has vanished

    void plan_one(std::size_t index, std::vector<repo::CopyItem>& items);
    Result<> job(const repo::CopyJob& job);
    Result<> single(std::size_t index);
    Result<> bundle(const repo::CopyJob& job);
    Result<Copied> copy(repo::ManifestFile file, LazySink& sink,
                        std::optional<repo::BundlePlace> place);
    Result<Copied> copy_whole(repo::ManifestFile file, files::Source& source, LazySink& sink,
                              std::optional<repo::BundlePlace> place);
    Result<Copied> copy_blocks(repo::ManifestFile file, files::Source& source, LazySink& sink,
                               std::optional<repo::BundlePlace> place);
    Result<std::unique_ptr<files::Source>> open(const repo::ManifestFile& file) const;
    Result<bool> has_sum(const repo::ManifestFile& file, const repo::Sha1Digest& sum) const;
    Result<repo::BlockMap> prior_map(const repo::ManifestFile& prior) const;
    void choose_blocks(repo::ManifestFile& file) const;
    void note_pages(repo::ManifestFile& file, const repo::PageTap& pages) const;
    repo::ManifestFile refer(const repo::ManifestFile& file, const repo::ManifestFile& prior) const;
    std::optional<repo::ManifestFile> prior_of(std::string_view name) const;
    std::string origin_of(std::string_view name) const;
    bool delta() const { return manifest_.header.options.delta.value_or(false); }
    void distrust_times();
    Result<> make_hard_link(const repo::ManifestFile& file);
    repo::StoredForm form(bool bundled) const;
    bool is_checked(std::string_view name) const;

    repo::ManifestFile file_at(std::size_t index);
    Result<> note(std::size_t index, const Copied& copied, std::uint64_t listed_size);
    Result<> save_now_and_then(std::uint64_t size);
    void drop_vanished();

    CopyOrder order_;
    repo::Manifest& manifest_;
    Beat beat_;
    repo::CopyPlan jobs_{};
    std::mutex mutex_{};  ///< of the manifest
    std::vector<std::size_t> vanished_{};
    std::uint64_t total_ = 0;
    std::uint64_t unsaved_ = 0;
    std::atomic<std::uint64_t> done_ = 0;
};

}  // namespace howdah::backup
