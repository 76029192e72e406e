#include "backup/command/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "backup/pump.h"
#include "repo/archive_name.h"
#include "repo/manifest/manifest.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

constexpr std::uint64_t usual_segment = std::uint64_t{16} << 20;

/// One file to read, and where its finding goes.
struct Job {
    std::string path{};
    files::ReadRange range{};
    repo::StoredForm form{};
    std::optional<repo::Sha1Digest> stored_sum{};  ///< known: the stored bytes alone are read
    std::optional<repo::Sha1Digest> sum{};         ///< of the content
    std::optional<std::uint64_t> size{};           ///< of the content
    std::uint64_t stored_size = 0;                 ///< 0: not known
    std::function<void(std::optional<Damage>)> tell{};
};

class Counter final : public repo::Tap {
public:
    void see(Bytes bytes) override { size_ += bytes.size(); }
    std::uint64_t size() const { return size_; }

private:
    std::uint64_t size_ = 0;
};

std::optional<Damage> read_one(Repository& repository, const Job& job) {
    const auto damage = [&](repo::Finding finding, std::string why) {
        return Damage{.path = job.path, .finding = finding, .why = std::move(why)};
    };
    const auto source = repository.files().read(job.path, job.range);
    if (!source) {
        const auto missing = source.error().code == Errc::not_found;
        return damage(missing ? repo::Finding::missing : repo::Finding::other,
                      source.error().message);
    }
    repo::SumTap stored, original;
    Counter stored_size, size;
    auto pipeline =
        job.stored_sum ? repo::Pipeline() : repo::reader_of(job.form, &original, &stored);
    if (job.stored_sum) {
        pipeline.tap(stored);
    }
    const auto done = pump(**source, pipeline, [&](Bytes bytes) -> Result<> {
        size.see(bytes);
        return {};
    });
    if (!done) {
        return damage(
            done.error().code == Errc::corrupt ? repo::Finding::bad_sum : repo::Finding::other,
            done.error().message);
    }
    if (job.stored_size != 0 && stored.size() != job.stored_size) {
        return damage(repo::Finding::bad_size, fmt::format("{} bytes are stored, {} should be",
                                                           stored.size(), job.stored_size));
    }
    if (!job.stored_sum && job.size && size.size() != *job.size) {
        return damage(repo::Finding::bad_size,
                      fmt::format("it unpacks to {} bytes, not {}", size.size(), *job.size));
    }
    if (job.stored_sum && stored.finish() != *job.stored_sum) {
        return damage(repo::Finding::bad_sum, "the stored bytes have a wrong SHA-1");
    }
    if (!job.stored_sum && job.sum && original.finish() != *job.sum) {
        return damage(repo::Finding::bad_sum, "the content has a wrong SHA-1");
    }
    return std::nullopt;
}

Result<std::uint64_t> unpacked_size(Repository& repository, const Job& job) {
    HD_TRY(const auto source, repository.files().read(job.path));
    auto pipeline = repo::reader_of(job.form, nullptr, nullptr);
    std::uint64_t size = 0;
    HD_TRY_VOID(pump(*source, pipeline, [&](Bytes bytes) -> Result<> {
        size += bytes.size();
        return {};
    }));
    return size;
}

/// As initdb --wal-segsize was told, 1 MiB to 1 GiB: the first that is one says so for all.
std::uint64_t size_of_segments(Repository& repository, const std::vector<Job>& segments) {
    constexpr std::uint64_t least = std::uint64_t{1} << 20, most = std::uint64_t{1} << 30;
    for (const auto& each : segments) {
        const auto size = unpacked_size(repository, each).value_or(0);
        if (std::has_single_bit(size) && size >= least && size <= most) {
            return size;
        }
    }
    return usual_segment;
}

/// One verification of one repository.
class Verification {
public:
    Verification(const Site& site, Repository& repository, std::optional<repo::Label> only)
        : site_(site), repository_(repository), only_(std::move(only)) {}

    Result<Verified> run() {
        HD_TRY(const auto archive, repository_.archive_info(site_.stanza()));
        HD_TRY(const auto backup, repository_.backup_info(site_.stanza()));
        if (only_ && !backup.backups.contains(*only_)) {
            return fail(
                Errc::not_found,
                fmt::format("backup set {} is not in {}", only_->text(), repository_.name()),
                "info lists the backups");
        }
        for (const auto& [id, cluster] : archive.history) {
            HD_TRY_VOID(check_archive(archive, id, backup));
        }
        for (const auto& [label, summary] : backup.backups) {
            if (!only_ || label == *only_) {
                check_backup(label, summary, archive);
            }
        }
        return std::move(found_);
    }

private:
    /// Of a backup alone its own WAL alone is read.
    bool is_asked_for(const repo::StoredSegment& segment, std::uint32_t id,
                      const repo::BackupInfo& backups) const {
        if (!only_) {
            return true;
        }
        const auto& backup = backups.backups.at(*only_);
        return backup.history_id == id && backup.wal_start && backup.wal_stop &&
               segment.segment() >= *backup.wal_start && segment.segment() <= *backup.wal_stop;
    }

    Result<> check_archive(const repo::ArchiveInfo& info, std::uint32_t id,
                           const repo::BackupInfo& backups) {
        const auto archive_id = info.archive_id(id);
        const auto root = repo::archive_folder(site_.stanza()) + "/" + archive_id;
        auto& out = found_.archives.emplace_back();
        out.id = archive_id;
        auto& inventory = wal_[id];
        std::vector<std::string> folders;
        HD_TRY_VOID(repository_.files().list(root, [&](const files::Entry& entry) {
            if (repo::is_wal_folder(entry.path.substr(entry.path.rfind('/') + 1))) {
                folders.push_back(entry.path);
            }
            return Result<>{};
        }));
        std::vector<Job> jobs;
        for (const auto& folder : folders) {
            HD_TRY_VOID(repository_.files().list(folder, [&](const files::Entry& entry) {
                const auto name = entry.path.substr(entry.path.rfind('/') + 1);
                inventory.add(name);
                const auto segment = repo::parse_stored_segment(name);
                if (segment && is_asked_for(*segment, id, backups)) {
                    jobs.push_back(
                        {.path = entry.path,
                         .form = {.compress = segment->compress, .cipher_pass = info.cipher_pass},
                         .sum = segment->sum,
                         .tell = [&inventory, &out, name](std::optional<Damage> damage) {
                             if (damage) {
                                 inventory.lose(name);
                             }
                             teller(out.segments, out.damage)(std::move(damage));
                         }});
                }
                return Result<>{};
            }));
        }
        for (const auto& name : inventory.conflicts()) {
            out.segments.add(repo::Finding::other);
            out.damage.push_back({.path = root + "/" + name,
                                  .finding = repo::Finding::other,
                                  .why = "the same segment is stored with another content"});
        }
        read_all(jobs);
        segment_bytes_[id] = size_of_segments(repository_, jobs);
        out.stretches = inventory.stretches(segment_bytes_[id]);
        return {};
    }

    void check_backup(const repo::Label& label, const repo::BackupSummary& summary,
                      const repo::ArchiveInfo& archive) {
        auto& out = found_.backups.emplace_back();
        out.label = label;
        const auto manifest = repository_.manifest(site_.stanza(), label);
        if (manifest) {
            check_files(*manifest, out);
            read_.insert(label.text());
        } else {
            out.damage.push_back({.path = repo::manifest_path(site_.stanza(), label),
                                  .finding = repo::Finding::other,
                                  .why = manifest.error().message});
        }
        Result<std::string> missing = std::string();
        if (summary.wal_start && summary.wal_stop && archive.history.contains(summary.history_id)) {
            missing = wal_[summary.history_id].first_missing(*summary.wal_start, *summary.wal_stop,
                                                             segment_bytes_[summary.history_id]);
        }
        out.missing_wal = missing.value_or("?");
        out.state = repo::state_of(manifest.has_value(), out.files, missing);
    }

    void check_files(const repo::Manifest& manifest, VerifiedBackup& out) {
        const auto& header = manifest.header;
        std::vector<Job> jobs;
        for (std::size_t i = 0; i < manifest.files.size(); ++i) {
            const auto file = manifest.files.at(i);
            const auto place = repo::stored_place(site_.stanza(), header.label, file,
                                                  header.options.compress, header.bundle);
            if (!place) {
                out.files.add(repo::Finding::good);
                continue;
            }
            const auto key = fmt::format("{}@{}", place->path, place->offset);
            const auto known = bad_.find(key);
            // What another backup holds was read there, unless that one has no manifest any more.
            const auto elsewhere = read_.contains(std::string(file.reference));
            if (elsewhere) {
                out.files.add(known == bad_.end() ? repo::Finding::good : known->second);
                continue;
            }
            // Of super blocks and their map only the sum of all stored bytes is known.
            const auto whole = !file.blocks;
            jobs.push_back(
                {.path = place->path,
                 .range = {.offset = place->offset, .size = place->size},
                 .form = !whole ? repo::StoredForm{}
                                : repo::StoredForm{.compress = header.options.compress,
                                                   .cipher_pass = header.cipher_pass,
                                                   .raw = place->in_bundle && header.bundle_raw},
                 .stored_sum = file.stored_sum,
                 .sum = whole ? file.sum : std::nullopt,
                 .size = whole ? std::optional(file.size) : std::nullopt,
                 .stored_size = place->size,
                 .tell = [this, key, &out](std::optional<Damage> damage) {
                     if (damage) {
                         bad_[key] = damage->finding;
                     }
                     teller(out.files, out.damage)(std::move(damage));
                 }});
        }
        read_all(jobs);
    }

    /// Called with the lock held.
    static std::function<void(std::optional<Damage>)> teller(repo::Tally& tally,
                                                             std::vector<Damage>& damage) {
        return [&](std::optional<Damage> found) {
            tally.add(found ? found->finding : repo::Finding::good);
            if (found) {
                damage.push_back(*std::move(found));
            }
        };
    }

    void read_all(const std::vector<Job>& jobs) {
        total_ += jobs.size();
        const auto what = "verifying " + repository_.name();
        std::mutex mutex;
        (void)site_.in_parallel(jobs.size(), [&](std::size_t at) -> Result<> {
            auto damage = read_one(repository_, jobs[at]);
            const std::scoped_lock lock(mutex);
            jobs[at].tell(std::move(damage));
            site_.notes.progress(
                {.what = what, .done = ++done_, .total = total_, .in_bytes = false});
            return {};
        });
    }

    const Site& site_;
    Repository& repository_;
    std::optional<repo::Label> only_;
    Verified found_{};
    std::map<std::uint32_t, repo::WalInventory> wal_{};
    std::map<std::uint32_t, std::uint64_t> segment_bytes_{};
    std::map<std::string, repo::Finding> bad_{};  ///< by stored place
    std::set<std::string> read_{};                ///< labels of the backups whose files were read
    std::uint64_t done_ = 0, total_ = 0;
};

std::string counts_text(const repo::Tally& tally) {
    std::string text;
    for (const auto& [finding, count] : tally.counts) {
        if (finding != repo::Finding::good) {
            text += fmt::format("    {}: {}\n", name_of(finding), count);
        }
    }
    return text;
}

nlohmann::json damage_json(const std::vector<Damage>& all) {
    auto out = nlohmann::json::array();
    for (const auto& each : all) {
        out.push_back({{"path", each.path}, {"finding", name_of(each.finding)}, {"why", each.why}});
    }
    return out;
}

}  // namespace

bool Verified::all_good() const {
    return std::ranges::all_of(archives, [](const auto& a) { return a.segments.all_good(); }) &&
           std::ranges::all_of(backups,
                               [](const auto& b) { return b.state == repo::BackupState::valid; });
}

Result<Verified> verify(const Site& site, Repository& repository) {
    HD_TRY_VOID(site.needs_stanza());
    std::optional<repo::Label> only;
    if (site.options.restore.set != "latest") {
        HD_TRY(only, repo::Label::parse(site.options.restore.set));
    }
    return Verification(site, repository, std::move(only)).run();
}

std::string verify_text(const std::string& stanza, const Verified& found) {
    auto text = fmt::format("stanza: {}\nstatus: {}\n", stanza, found.all_good() ? "ok" : "error");
    for (const auto& archive : found.archives) {
        text += fmt::format("  archiveId: {}, total WAL checked: {}, total valid WAL: {}\n",
                            archive.id, archive.segments.total(), archive.segments.good()) +
                counts_text(archive.segments);
    }
    for (const auto& backup : found.backups) {
        text += fmt::format(
                    "  backup: {}, status: {}, total files checked: {}, total valid "
                    "files: {}\n",
                    backup.label.text(), name_of(backup.state), backup.files.total(),
                    backup.files.good()) +
                counts_text(backup.files);
    }
    return text;
}

std::string verify_json(const std::string& stanza, const Verified& found) {
    auto archives = nlohmann::json::array(), backups = nlohmann::json::array();
    for (const auto& archive : found.archives) {
        auto stretches = nlohmann::json::array();
        for (const auto& stretch : archive.stretches) {
            stretches.push_back({{"first", stretch.first}, {"last", stretch.last}});
        }
        archives.push_back({{"id", archive.id},
                            {"checked", archive.segments.total()},
                            {"valid", archive.segments.good()},
                            {"stretches", stretches},
                            {"damage", damage_json(archive.damage)}});
    }
    for (const auto& backup : found.backups) {
        backups.push_back({{"label", backup.label.text()},
                           {"status", name_of(backup.state)},
                           {"checked", backup.files.total()},
                           {"valid", backup.files.good()},
                           {"missing-wal", backup.missing_wal},
                           {"damage", damage_json(backup.damage)}});
    }
    return nlohmann::json{{"stanza", stanza},
                          {"status", found.all_good() ? "ok" : "error"},
                          {"archive", archives},
                          {"backup", backups}}
        .dump();
}

}  // namespace howdah::backup
