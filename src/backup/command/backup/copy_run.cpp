#include "backup/command/backup/copy_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "backup/cluster_facts.h"
#include "backup/command/backup/listing.h"
#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "backup/size_text.h"
#include "repo/manifest/block_plan.h"
#include "repo/paths.h"
#include "repo/plan/changes.h"
#include "repo/plan/left_out.h"

namespace howdah::backup {
namespace {

constexpr std::string_view control_name = "pg_data/global/pg_control";
/// Files up to this size are compared with the prior backup's sum before they are copied anew.
constexpr std::uint64_t compared_up_to = std::uint64_t{1} << 20;

}  // namespace

/// A file of the repository that begins when there is something to write.
class CopyRun::LazySink final : public files::Sink {
public:
    LazySink(files::Files& files, std::string path) : files_(files), path_(std::move(path)) {}
    Result<> write(Bytes bytes) override {
        if (bytes.empty()) {
            return {};
        }
        HD_TRY_VOID(begin());
        written_ += bytes.size();
        return told(sink_->write(bytes));
    }
    Result<> finish() override {
        HD_TRY_VOID(begin());
        return told(sink_->finish());
    }
    std::uint64_t written() const { return written_; }

private:
    Result<> begin() {
        if (!sink_) {
            auto opened = files_.write(path_, files::NameSync::by_sync_tree);
            HD_TRY_VOID(opened ? Result<>{} : told(std::unexpected(opened.error())));
            sink_ = *std::move(opened);
        }
        return {};
    }
    static Result<> told(Result<> done) {
        return done ? done
                    : std::unexpected(ending_with(ExitCode::file_write, std::move(done).error()));
    }

    files::Files& files_;
    std::string path_;
    std::unique_ptr<files::Sink> sink_{};
    std::uint64_t written_ = 0;
};

CopyRun::CopyRun(CopyOrder order, repo::Manifest& manifest, Beat beat)
    : order_(std::move(order)), manifest_(manifest), beat_(std::move(beat)) {}

Result<> CopyRun::plan() {
    distrust_times();
    std::vector<repo::CopyItem> items;
    for (std::size_t i = 0; i < manifest_.files.size(); ++i) {
        plan_one(i, items);
    }
    if (items.empty()) {
        return fail_with(ExitCode::file_missing, Errc::not_found,
                         "no files have changed since the last backup - this seems unlikely",
                         "PostgreSQL writes some files all the time: is it the right pg1-path?");
    }
    jobs_ = repo::plan_copies(items, order_.bundling);
    order_.save_every = std::max(order_.save_every, total_ / 100);
    return {};
}

/// Where the times of files cannot be trusted, contents are compared instead.
void CopyRun::distrust_times() {
    if (order_.prior == nullptr || delta()) {
        return;
    }
    auto reason = repo::delta_reason(manifest_.header, order_.prior->header);
    for (std::size_t i = 0; i < manifest_.files.size() && !reason; ++i) {
        const auto file = manifest_.files.at(i);
        reason = repo::delta_reason(file, prior_of(file.name), manifest_.header.copy_started);
    }
    if (reason) {
        order_.site.notes.warn(fmt::format("{}, enabling delta checksum", *reason));
        manifest_.header.options.delta = true;
    }
}

void CopyRun::plan_one(std::size_t index, std::vector<repo::CopyItem>& items) {
    auto file = manifest_.files.at(index);
    const auto prior = prior_of(file.name);
    if (file.sum) {
        return;  // it stays from an unfinished backup
    }
    const auto change = repo::change_of(file, prior, delta());
    if (change == repo::Change::same && (file.name != control_name || !order_.young_from)) {
        manifest_.files.set(index, refer(file, *prior));
        return;
    }
    items.push_back({.size = file.size, .index = static_cast<std::uint32_t>(index)});
    total_ += file.size;
    if (file.size == 0 && order_.bundling.on && is_checked(file.name)) {
        file.pages = repo::PagesFound::good;  // no job will say so
        manifest_.files.set(index, file);
    }
}

Result<> CopyRun::run() {
    HD_TRY_VOID(
        order_.site.in_parallel(jobs_.size(), [&](std::size_t at) { return job(jobs_.at(at)); }));
    drop_vanished();
    const auto& header = manifest_.header;
    for (std::size_t i = 0; header.options.hardlink && i < manifest_.files.size(); ++i) {
        HD_TRY_VOID(make_hard_link(manifest_.files.at(i)));
    }
    return {};
}

/// So that the folder of a diff or incr backup is complete, too.
Result<> CopyRun::make_hard_link(const repo::ManifestFile& file) {
    if (file.reference.empty() || file.bundle) {
        return {};
    }
    const auto& header = manifest_.header;
    const auto path_in = [&](std::string_view label) {
        return repo::file_path(order_.site.stanza(), label, file, header.options.compress);
    };
    return order_.repository.files().hard_link(path_in(header.label.text()),
                                               path_in(file.reference));
}

Result<> CopyRun::job(const repo::CopyJob& job) {
    HD_TRY_VOID(beat_());
    return job.bundle == 0 ? single(job.files.front()) : bundle(job);
}

Result<> CopyRun::single(std::size_t index) {
    auto file = file_at(index);
    choose_blocks(file);
    const auto listed = file.size;
    LazySink sink(order_.repository.files(),
                  repo::file_path(order_.site.stanza(), manifest_.header.label.text(), file,
                                  manifest_.header.options.compress));
    HD_TRY(const auto copied, copy(std::move(file), sink, std::nullopt));
    const bool stored =
        copied && copied->reference.empty() && (copied->size > 0 || !manifest_.header.bundle);
    if (stored) {
        HD_TRY_VOID(sink.finish());
    }
    return note(index, copied, listed);
}

Result<> CopyRun::bundle(const repo::CopyJob& job) {
    LazySink sink(
        order_.repository.files(),
        repo::bundle_path(order_.site.stanza(), manifest_.header.label.text(), job.bundle));
    for (const auto index : job.files) {
        auto file = file_at(index);
        choose_blocks(file);
        const auto listed = file.size;
        HD_TRY(const auto copied,
               copy(std::move(file), sink,
                    repo::BundlePlace{.id = job.bundle, .offset = sink.written()}));
        HD_TRY_VOID(note(index, copied, listed));
    }
    return sink.written() > 0 ? sink.finish() : Result<>{};
}

Result<CopyRun::Copied> CopyRun::copy(repo::ManifestFile file, LazySink& sink,
                                      std::optional<repo::BundlePlace> place) {
    const auto prior = prior_of(file.name);
    const bool comparable = prior && prior->size == file.size && prior->sum && !file.blocks &&
                            file.name != control_name;
    if (comparable && (delta() || file.size <= compared_up_to)) {
        HD_TRY(const auto same, has_sum(file, *prior->sum));
        if (same) {
            return refer(file, *prior);
        }
    }
    auto source = open(file);
    if (!source && source.error().code == Errc::not_found && order_.young_from &&
        file.name != control_name) {
        return std::nullopt;
    }
    if (!source) {
        return std::unexpected(ending_with(ExitCode::file_open, std::move(source).error()));
    }
    auto copied = file.blocks ? copy_blocks(file, **source, sink, place)
                              : copy_whole(file, **source, sink, place);
    if (!copied) {
        return std::unexpected(std::move(copied).error().within(file.name));
    }
    if (*copied && (*copied)->size == 0 && manifest_.header.bundle) {
        (*copied)->stored_size = 0;  // its entry is all there is of it
        (*copied)->stored_sum.reset();
        (*copied)->bundle.reset();
        (*copied)->blocks.reset();
    }
    return copied;
}

Result<CopyRun::Copied> CopyRun::copy_whole(repo::ManifestFile file, files::Source& source,
                                            LazySink& sink,
                                            std::optional<repo::BundlePlace> place) {
    repo::PageTap pages(repo::segment_of_file(file.name), order_.young_from);
    const bool checked = is_checked(file.name);
    const auto stored_as = form(place.has_value());
    HD_TRY(const auto done, store(source, file.size, sink, stored_as, checked ? &pages : nullptr));
    note_copy(file, done, stored_as);
    file.bundle = place;
    if (checked) {
        note_pages(file, pages);
    }
    return file;
}

Result<CopyRun::Copied> CopyRun::copy_blocks(repo::ManifestFile file, files::Source& source,
                                             LazySink& sink,
                                             std::optional<repo::BundlePlace> place) {
    const auto& header = manifest_.header;
    const auto prior = prior_of(file.name);
    const bool has_map = prior && prior->blocks && prior->blocks->map_size > 0 &&
                         prior->blocks->block_size == file.blocks->block_size;
    HD_TRY(auto map, has_map ? prior_map(*prior) : Result<repo::BlockMap>(repo::BlockMap{}));
    const bool is_full = header.type == repo::BackupType::full;
    const repo::BlockWriting writing{
        .facts = *file.blocks,
        .super_block_size = repo::super_block_size(is_full, file.blocks->block_size),
        .reference = static_cast<std::uint32_t>(header.references.size() - 1),
        .bundle = place ? place->id : 0,
        .offset = place ? place->offset : 0,
        .form = form(true)};
    repo::PageTap pages(repo::segment_of_file(file.name), order_.young_from);
    const bool checked = is_checked(file.name);
    HD_TRY(const auto done,
           store_blocks(source, sink, writing, std::move(map), checked ? &pages : nullptr));
    if (done.unchanged) {
        file.size = done.copy.size;
        return refer(file, *prior);
    }
    file.blocks = done.facts;
    note_copy(file, done.copy, writing.form);
    file.bundle = place;
    if (checked) {
        note_pages(file, pages);
    }
    return file;
}

Result<std::unique_ptr<files::Source>> CopyRun::open(const repo::ManifestFile& file) const {
    if (file.name == control_name) {
        HD_TRY(auto content, read_control(order_.data));
        return std::make_unique<TextSource>(std::move(content));
    }
    HD_TRY(auto source, open_local(origin_of(file.name)));
    return std::make_unique<ListedSource>(std::move(source), file.size);
}

Result<bool> CopyRun::has_sum(const repo::ManifestFile& file, const repo::Sha1Digest& sum) const {
    const auto source = open(file);
    if (!source) {
        return source.error().code == Errc::not_found ? Result<bool>(false)
                                                      : std::unexpected(source.error());
    }
    repo::SumTap found;
    ByteBuffer block(pump_block);
    while (true) {
        HD_TRY(const auto got, (*source)->read(block));
        if (got == 0) {
            const auto size = found.size();
            return found.finish() == sum && size == file.size;
        }
        found.see(Bytes(block).first(got));
    }
}

Result<repo::BlockMap> CopyRun::prior_map(const repo::ManifestFile& prior) const {
    const auto& header = order_.prior->header;
    const auto place = repo::stored_place(order_.site.stanza(), header.label, prior,
                                          header.options.compress, header.bundle);
    const auto size = prior.blocks->map_size;
    HD_TRY(const auto source,
           order_.repository.files().read(
               place->path, {.offset = place->offset + place->size - size, .size = size}));
    ByteBuffer stored(size);
    for (std::size_t at = 0; at < size;) {
        HD_TRY(const auto got, source->read(MutableBytes(stored).subspan(at)));
        if (got == 0) {
            return fail(Errc::corrupt, fmt::format("{} ends before its block map", place->path));
        }
        at += got;
    }
    return repo::unpack_map(form(true), stored, *prior.blocks);
}

void CopyRun::choose_blocks(repo::ManifestFile& file) const {
    if (!manifest_.header.block_incremental) {
        return;
    }
    const auto prior = prior_of(file.name);
    const auto age = std::chrono::seconds(manifest_.header.started - file.modified);
    file.blocks = repo::block_facts(file.size, age, prior ? prior->blocks : std::nullopt);
}

void CopyRun::note_pages(repo::ManifestFile& file, const repo::PageTap& pages) const {
    const auto path = origin_of(file.name);
    const auto bad =
        still_bad(path, pages.bad(), repo::segment_of_file(file.name), order_.young_from);
    file.pages = bad.empty() && pages.aligned() ? repo::PagesFound::good : repo::PagesFound::bad;
    file.bad_pages.reset();
    if (!pages.aligned()) {
        order_.site.notes.warn(
            fmt::format("page misalignment in file {}: file size {} is not divisible by page size "
                        "{}",
                        path, file.size, repo::page_size));
    } else if (!bad.empty()) {
        file.bad_pages = bad;
        const auto* const plural = bad.size() > 1 || bad[0].first != bad[0].second ? "s" : "";
        order_.site.notes.warn(fmt::format("invalid page checksum{} found in file {} at page{} {}",
                                           plural, path, plural, page_list(bad)));
    }
}

repo::ManifestFile CopyRun::refer(const repo::ManifestFile& file,
                                  const repo::ManifestFile& prior) const {
    return repo::refer(file, prior, order_.prior->header.label, manifest_.header.bundle);
}

std::optional<repo::ManifestFile> CopyRun::prior_of(std::string_view name) const {
    const auto at = order_.prior == nullptr ? std::nullopt : order_.prior->files.find(name);
    return at ? std::optional(order_.prior->files.at(*at)) : std::nullopt;
}

std::string CopyRun::origin_of(std::string_view name) const {
    const bool from_standby = !order_.standby_data.empty() && is_replicated(name);
    return origin_path(from_standby ? order_.standby_data : order_.data, name);
}

repo::StoredForm CopyRun::form(bool bundled) const {
    const auto& header = manifest_.header;
    return {.compress = header.options.compress,
            .level = order_.level,
            .cipher_pass = header.cipher_pass,
            .raw = bundled && header.bundle_raw};
}

bool CopyRun::is_checked(std::string_view name) const {
    return order_.check_pages && repo::has_pages(name);
}

repo::ManifestFile CopyRun::file_at(std::size_t index) {
    const std::scoped_lock lock(mutex_);
    return manifest_.files.at(index);
}

Result<> CopyRun::note(std::size_t index, const Copied& copied, std::uint64_t listed_size) {
    const auto done = done_ += listed_size;
    std::string name;
    {
        const std::scoped_lock lock(mutex_);
        if (copied) {
            manifest_.files.set(index, *copied);
        } else {
            vanished_.push_back(index);
        }
        name = manifest_.files.at(index).name;
    }
    const auto& notes = order_.site.notes;
    const auto path = origin_of(name);
    if (!copied) {
        notes.detail(fmt::format("skip file removed by database {}", path));
    } else {
        notes.detail(
            fmt::format("{} {} ({}, {}%){}",
                        copied->reference.empty() ? "backup file" : "match file from prior backup",
                        path, size_text(copied->size), total_ == 0 ? 100 : done * 100 / total_,
                        copied->sum ? " checksum " + copied->sum->hex() : ""));
    }
    notes.progress({.what = "backing up", .done = done, .total = total_});
    HD_TRY_VOID(beat_());
    return save_now_and_then(listed_size);
}

Result<> CopyRun::save_now_and_then(std::uint64_t size) {
    const std::scoped_lock lock(mutex_);
    unsaved_ += size;
    if (unsaved_ < order_.save_every) {
        return {};
    }
    unsaved_ = 0;
    return order_.repository.save_unfinished(order_.site.stanza(), manifest_, order_.manifest_pass);
}

void CopyRun::drop_vanished() {
    if (vanished_.empty()) {
        return;
    }
    std::ranges::sort(vanished_);
    repo::FileTable left;
    for (std::size_t i = 0; i < manifest_.files.size(); ++i) {
        if (!std::ranges::binary_search(vanished_, i)) {
            left.add(manifest_.files.at(i));
        }
    }
    manifest_.files = std::move(left);
}

Result<> CopyRun::add(std::string name, files::Source& source, std::uint64_t size,
                      std::int64_t modified) {
    repo::ManifestFile file{.name = std::move(name), .size = size, .modified = modified};
    LazySink sink(order_.repository.files(),
                  repo::file_path(order_.site.stanza(), manifest_.header.label.text(), file,
                                  manifest_.header.options.compress));
    HD_TRY(const auto done, store(source, file.size, sink, form(false), nullptr));
    HD_TRY_VOID(sink.finish());
    note_copy(file, done, form(false));
    manifest_.files.add(file);
    manifest_.files.sort();
    return {};
}

}  // namespace howdah::backup
