#include "backup/command/copy/repo_copy.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/command/archive/segment_copy.h"
#include "backup/command/copy/backup_copy.h"
#include "backup/command/known_backups.h"
#include "backup/options/exit_code.h"
#include "backup/size_text.h"
#include "pg/wal_segment.h"
#include "repo/paths.h"
#include "repo/plan/backup_summary.h"

namespace howdah::backup {
namespace {

std::unexpected<Error> no_set(const std::string& label, const Repository& repository) {
    return fail_with(ExitCode::backup_set_invalid, Errc::not_found,
                     fmt::format("backup set {} is not in {}", label, repository.name()),
                     "info lists the backups");
}

class RepoCopy {
public:
    RepoCopy(Site& site, Repository& from, Repository& to) : site_(site), from_(from), to_(to) {}

    Result<> run() {
        HD_TRY(original_, from_.backup_info(site_.stanza()));
        HD_TRY(there_, known_backups(site_, to_));
        HD_TRY(const auto label, chosen());
        for (const auto& each : chain(label)) {
            HD_TRY_VOID(copy(each));
        }
        return {};
    }

private:
    Result<repo::Label> chosen() const {
        const auto& set = site_.options.expire_set;
        if (set.empty() && original_.backups.empty()) {
            return no_set("latest", from_);
        }
        if (set.empty()) {
            return original_.backups.rbegin()->first;
        }
        const auto label = repo::Label::parse(set);
        return label && original_.backups.contains(*label) ? label : no_set(set, from_);
    }

    /// The backup and all that it builds on, the full one first.
    std::vector<repo::Label> chain(const repo::Label& label) const {
        std::vector<repo::Label> all{label};
        for (auto at = original_.backups.find(label);
             at != original_.backups.end() && at->second.prior;
             at = original_.backups.find(*at->second.prior)) {
            all.push_back(*at->second.prior);
        }
        std::ranges::reverse(all);
        return all;
    }

    Result<> copy(const repo::Label& label) {
        const auto found = original_.backups.find(label);
        if (found == original_.backups.end()) {
            return no_set(label.text(), from_);
        }
        const auto& summary = found->second;
        HD_TRY(const auto id, id_there(summary));
        HD_TRY(const auto is_there, has(label, summary));
        if (is_there) {
            site_.notes.info(fmt::format("{} has backup {}", to_.name(), label.text()));
        }
        if (site_.options.dry_run) {
            if (!is_there) {
                site_.notes.info(fmt::format("would copy backup {} ({})", label.text(),
                                             size_text(summary.sizes.delta)));
            }
            return {};
        }
        // First of all: a backup that is there counts, and without this it does not restore.
        HD_TRY_VOID(summary.wal_start && summary.wal_stop ? copy_wal(summary) : Result<>{});
        return is_there ? Result<>{} : copy_files(label, summary, id);
    }

    /// The number that the other end gives this backup's cluster.
    Result<std::uint32_t> id_there(const repo::BackupSummary& summary) const {
        const auto& cluster = original_.history.at(summary.history_id);
        for (const auto& [id, known] : there_.history) {
            if (known.system_id == cluster.system_id && known.version == cluster.version) {
                return id;
            }
        }
        return fail_with(
            ExitCode::backup_mismatch, Errc::unsafe,
            fmt::format("stanza '{}' of {} is of another cluster than the backup: it "
                        "has never been of system-id {} version {}",
                        site_.stanza(), to_.name(), cluster.system_id, cluster.version),
            "nothing was copied");
    }

    Result<bool> has(const repo::Label& label, const repo::BackupSummary& summary) const {
        const auto found = there_.backups.find(label);
        if (found == there_.backups.end()) {
            return false;
        }
        const auto& other = found->second;
        if (other.started != summary.started || other.lsn_start != summary.lsn_start ||
            other.sizes.total != summary.sizes.total) {
            return fail_with(
                ExitCode::backup_mismatch, Errc::unsafe,
                fmt::format("{} has another backup under the label {}", to_.name(), label.text()),
                "nothing was changed");
        }
        return true;
    }

    Result<> copy_files(const repo::Label& label, const repo::BackupSummary& summary,
                        std::uint32_t id) {
        site_.notes.info(fmt::format("copy backup {} ({}) from {} to {}", label.text(),
                                     size_text(summary.sizes.delta), from_.name(), to_.name()));
        HD_TRY(const auto original, from_.manifest(site_.stanza(), label));
        std::optional<repo::Manifest> prior;
        if (summary.prior) {
            HD_TRY(prior, to_.manifest(site_.stanza(), *summary.prior));
        }
        // What an earlier run left of it.
        HD_TRY_VOID(to_.files().remove_tree(repo::backup_path(site_.stanza(), label)));
        const CopyEnds ends{.from = from_,
                            .to = to_,
                            .from_pass = original_.cipher_pass,
                            .to_pass = there_.cipher_pass,
                            .history_id = id};
        HD_TRY(const auto copied, copy_backup(site_, ends, original, prior ? &*prior : nullptr));
        there_.written_by = written_by;
        auto listed = repo::summary_of(copied);
        listed.annotations = summary.annotations;
        there_.backups.insert_or_assign(label, std::move(listed));
        HD_TRY_VOID(to_.save(site_.stanza(), there_));
        const bool newest = there_.backups.rbegin()->first == label;
        return newest && site_.options.repository(to_.index()).symlink
                   ? to_.files().link(repo::latest_path(site_.stanza()), label.text())
                   : Result<>{};
    }

    Result<> copy_wal(const repo::BackupSummary& summary) {
        const auto& cluster = original_.history.at(summary.history_id);
        const repo::ArchivedCluster whose{.system_id = cluster.system_id,
                                          .version = cluster.version};
        HD_TRY(const auto from, wal_home(from_, site_.stanza(), whose));
        HD_TRY(const auto to, wal_home(to_, site_.stanza(), whose));
        HD_TRY(auto segment, pg::WalSegment::parse(*summary.wal_start));
        HD_TRY(const auto last, pg::WalSegment::parse(*summary.wal_stop));
        HD_TRY(const auto segment_bytes, segment_size(from, segment.name()));
        std::size_t copied = 0;
        for (; segment <= last; segment = segment.next(segment_bytes)) {
            HD_TRY(const auto is_new, copy_segment(site_, from, to, segment.name()));
            copied += is_new ? 1 : 0;
        }
        HD_TRY_VOID(copy_history_files(from, to));
        site_.notes.info(fmt::format("{} WAL segments copied, {} to {}", copied, *summary.wal_start,
                                     *summary.wal_stop));
        return {};
    }

    Site& site_;
    Repository& from_;
    Repository& to_;
    repo::BackupInfo original_{}, there_{};
};

Repository* find(std::vector<Repository>& all, std::uint32_t index) {
    const auto found = std::ranges::find(all, index, &Repository::index);
    return found == all.end() ? nullptr : &*found;
}

}  // namespace

Result<> repo_copy(Site& site) {
    HD_TRY_VOID(site.may_work());
    const auto& options = site.options;
    if (!options.to_repo) {
        return fail_with(ExitCode::option_required, Errc::invalid,
                         "repo-copy needs option 'to-repo'", "--to-repo=2 copies into repo2");
    }
    auto* const from =
        find(site.repositories, options.repo.value_or(options.repositories.front().index));
    auto* const to = find(site.repositories, *options.to_repo);
    if (from == nullptr || to == nullptr || from == to) {
        return fail_with(
            ExitCode::option_invalid_value, Errc::invalid,
            fmt::format("--to-repo={}: it must be a configured repository, and another "
                        "than the one to copy from",
                        *options.to_repo));
    }
    HD_TRY(const auto lock, site.lock(LockKind::backup));
    return RepoCopy(site, *from, *to).run();
}

}  // namespace howdah::backup
