#include "backup/command/copy/backup_copy.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>

#include "backup/command/backup/stored_copy.h"
#include "backup/command/restore/file_restore.h"
#include "backup/local_file.h"
#include "io/files.h"
#include "repo/paths.h"
#include "repo/plan/bundle_plan.h"
#include "repo/plan/changes.h"

namespace howdah::backup {
namespace {

/// A folder of this host for files that must be put together before they can be stored.
class Workbench {
public:
    ~Workbench() {
        std::error_code ignored;
        if (!folder_.empty()) {
            std::filesystem::remove_all(folder_, ignored);
        }
    }
    Workbench() = default;
    Workbench(const Workbench&) = delete;
    Workbench& operator=(const Workbench&) = delete;

    Result<std::string> path(std::size_t index) {
        const std::scoped_lock lock(mutex_);
        if (folder_.empty()) {
            std::error_code none;
            auto name = std::filesystem::temp_directory_path(none).string() + "/howdah-copy-XXXXXX";
            if (mkdtemp(name.data()) == nullptr) {
                return io::fail_errno("make a folder in " + name);
            }
            folder_ = name;
        }
        return fmt::format("{}/{}", folder_, index);
    }

private:
    std::mutex mutex_{};
    std::string folder_{};
};

class BackupCopy {
public:
    BackupCopy(const Site& site, const CopyEnds& ends, const repo::Manifest& original,
               const repo::Manifest* prior)
        : site_(site),
          ends_(ends),
          into_(site.options.repository(ends.to.index())),
          original_(original),
          prior_(prior) {}

    Result<repo::Manifest> run() {
        describe();
        plan();
        HD_TRY_VOID(ends_.to.save_unfinished(site_.stanza(), manifest_, ends_.to_pass));
        HD_TRY_VOID(
            site_.in_parallel(jobs_.size(), [&](std::size_t at) { return copy(jobs_.at(at)); }));
        HD_TRY_VOID(ends_.to.files().sync_tree(repo::backup_path(site_.stanza(), label())));
        HD_TRY_VOID(ends_.to.save(site_.stanza(), manifest_, ends_.to_pass));
        HD_TRY_VOID(ends_.to.save_history(site_.stanza(), manifest_, ends_.to_pass));
        return std::move(manifest_);
    }

private:
    const repo::Label& label() const { return original_.header.label; }

    /// The original's header, but for what says how it is stored.
    void describe() {
        auto& header = manifest_.header;
        header = original_.header;
        header.written_by = written_by;
        header.history_id = ends_.history_id;
        header.options.hardlink = false;
        header.options.compress = site_.options.compress;
        header.options.compress_level = level();
        header.bundle = into_.bundle;
        header.bundle_raw = header.block_incremental = false;
        header.cipher_pass = ends_.to.encrypted() ? fresh_pass_phrase() : "";
        header.references = {header.label};
        if (prior_ != nullptr) {
            const auto checks = header.options.checksum_page;
            repo::inherit(header, prior_->header);
            header.options.checksum_page = checks;
            header.bundle = prior_->header.bundle;
            header.block_incremental = prior_->header.block_incremental;
        }
    }

    std::int64_t level() const {
        const auto usual = repo::levels_of(site_.options.compress).standard;
        return site_.options.compress_level.value_or(usual);
    }

    void plan() {
        std::vector<repo::CopyItem> items;
        for (std::size_t i = 0; i < original_.files.size(); ++i) {
            auto file = original_.files.at(i);
            const auto shared = shared_entry(file);
            if (shared) {
                manifest_.files.add(
                    repo::refer(file, *shared, prior_->header.label, manifest_.header.bundle));
                continue;
            }
            items.push_back({.size = file.size,
                             .index = static_cast<std::uint32_t>(i),
                             .alone = is_label(file.name)});
            total_ += file.size;
            file.reference = {};
            file.bundle.reset();
            file.blocks.reset();
            file.stored_sum.reset();
            file.stored_size = 0;
            manifest_.files.add(file);
        }
        jobs_ = repo::plan_copies(items, {.on = manifest_.header.bundle,
                                          .largest_file = into_.bundle_limit,
                                          .full_at = into_.bundle_size});
    }

    static bool is_label(std::string_view name) {
        return name == "pg_data/backup_label" || name == "pg_data/tablespace_map";
    }

    /// The prior backup's entry, where the original has the file from an earlier backup, too.
    std::optional<repo::ManifestFile> shared_entry(const repo::ManifestFile& file) const {
        const auto at = file.reference.empty() || prior_ == nullptr ? std::nullopt
                                                                    : prior_->files.find(file.name);
        auto entry = at ? std::optional(prior_->files.at(*at)) : std::nullopt;
        return entry && entry->size == file.size && entry->sum == file.sum ? entry : std::nullopt;
    }

    Result<> copy(const repo::CopyJob& job) {
        const auto& header = manifest_.header;
        const auto& first = original_.files.at(job.files.front());
        if (job.bundle == 0 && first.size == 0 && header.bundle) {
            return {};  // its entry is all there is of it
        }
        auto plain = first;
        plain.blocks.reset();
        const auto path =
            job.bundle == 0
                ? repo::file_path(site_.stanza(), label().text(), plain, header.options.compress)
                : repo::bundle_path(site_.stanza(), label().text(), job.bundle);
        HD_TRY(const auto sink, ends_.to.files().write(path, files::NameSync::by_sync_tree));
        std::uint64_t offset = 0;
        for (const auto index : job.files) {
            const auto place =
                job.bundle == 0
                    ? std::nullopt
                    : std::optional(repo::BundlePlace{.id = job.bundle, .offset = offset});
            auto stored = copy_one(index, *sink, place);
            if (!stored) {
                return std::unexpected(
                    std::move(stored).error().within(original_.files.at(index).name));
            }
            offset += *stored;
        }
        return sink->finish();
    }

    /// Returns the stored size.
    Result<std::uint64_t> copy_one(std::size_t index, files::Sink& sink,
                                   std::optional<repo::BundlePlace> place) {
        auto file = original_.files.at(index);
        HD_TRY(const auto content, open(index, file));
        const auto& header = manifest_.header;
        const repo::StoredForm form{
            .compress = header.options.compress,
            .level = static_cast<int>(header.options.compress_level.value_or(0)),
            .cipher_pass = header.cipher_pass,
            .raw = place.has_value() && header.bundle_raw};
        HD_TRY(const auto done, store(*content, file.size, sink, form, nullptr));
        if (done.size != file.size || (file.sum && done.sum != *file.sum)) {
            return fail(Errc::corrupt,
                        fmt::format("{} bytes with SHA-1 {} came out of {}, the manifest says {} "
                                    "bytes: the backup is damaged there and was not copied",
                                    done.size, done.sum.hex(), ends_.from.name(), file.size));
        }
        const auto listed = file.original_size;
        file.blocks.reset();
        note_copy(file, done, form);
        file.original_size = listed;
        file.bundle = place;
        const std::scoped_lock lock(mutex_);
        manifest_.files.set(index, file);
        done_ += file.size;
        site_.notes.progress({.what = "copying", .done = done_, .total = total_});
        return done.stored_size;
    }

    /// What the original holds.
    Result<std::unique_ptr<files::Source>> open(std::size_t index, const repo::ManifestFile& file) {
        const auto& header = original_.header;
        const BackupSource from{
            .repository = ends_.from, .stanza = site_.stanza(), .header = header};
        if (file.blocks) {
            HD_TRY(const auto path, workbench_.path(index));
            HD_TRY_VOID(restore_file(from, file, path));
            auto whole = open_local(path);
            std::filesystem::remove(path);  // what is open stays
            return whole;
        }
        const auto place = repo::stored_place(site_.stanza(), header.label, file,
                                              header.options.compress, header.bundle);
        if (!place) {
            return std::make_unique<TextSource>("");
        }
        HD_TRY(auto stored, ends_.from.files().read(
                                place->path, {.offset = place->offset, .size = place->size}));
        return std::make_unique<UnpackedSource>(
            std::move(stored), repo::StoredForm{.compress = header.options.compress,
                                                .cipher_pass = header.cipher_pass,
                                                .raw = place->in_bundle && header.bundle_raw});
    }

    const Site& site_;
    const CopyEnds& ends_;
    const RepositoryOptions& into_;
    const repo::Manifest& original_;
    const repo::Manifest* prior_;
    repo::Manifest manifest_{};
    repo::CopyPlan jobs_{};
    Workbench workbench_{};
    std::mutex mutex_{};
    std::uint64_t total_ = 0, done_ = 0;
};

}  // namespace

Result<repo::Manifest> copy_backup(const Site& site, const CopyEnds& ends,
                                   const repo::Manifest& original, const repo::Manifest* prior) {
    return BackupCopy(site, ends, original, prior).run();
}

}  // namespace howdah::backup
