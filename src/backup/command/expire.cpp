#include "backup/command/expire.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <ranges>

#include "backup/command/known_backups.h"
#include "backup/options/exit_code.h"
#include "repo/archive_name.h"
#include "repo/info/copies.h"
#include "repo/paths.h"
#include "repo/plan/retention.h"

namespace howdah::backup {
namespace {

/// One repository's part of the command.
class Expire {
public:
    Expire(const Site& site, Repository& repository)
        : site_(site),
          repository_(repository),
          into_(site.options.repository(repository.index())) {}

    Result<> run() {
        HD_TRY_VOID(read());
        HD_TRY_VOID(decide());
        HD_TRY_VOID(remove_backups());
        HD_TRY_VOID(remove_left_folders());
        HD_TRY_VOID(remove_archives());
        return remove_history();
    }

private:
    const std::string& stanza() const { return site_.stanza(); }
    bool dry() const { return site_.options.dry_run; }
    void info(const std::string& text) const {
        site_.notes.info(
            fmt::format("{}{}: {}", dry() ? "[DRY-RUN] " : "", repository_.name(), text));
    }
    void detail(const std::string& text) const {
        site_.notes.detail(
            fmt::format("{}{}: {}", dry() ? "[DRY-RUN] " : "", repository_.name(), text));
    }

    /// A dry run tells what a real one would do with the backups that are really there.
    Result<> read() {
        HD_TRY(info_, known_backups(site_, repository_, dry()));
        HD_TRY(const auto archive, repository_.archive_info(stanza()));
        const auto agree = std::ranges::all_of(info_.history, [&](const auto& entry) {
            const auto found = archive.history.find(entry.first);
            return found != archive.history.end() &&
                   found->second.system_id == entry.second.system_id &&
                   found->second.version == entry.second.version;
        });
        if (!agree) {
            return fail_with(ExitCode::format, Errc::conflict,
                             fmt::format("{}: archive.info and backup.info of stanza {} know "
                                         "different clusters: nothing is expired",
                                         repository_.name(), stanza()),
                             "one of them is of another repository, or was put back from an older "
                             "copy; stanza-upgrade writes both");
        }
        return {};
    }

    Result<> decide() {
        if (site_.options.expire_set.empty()) {
            const auto now = std::chrono::system_clock::now().time_since_epoch();
            fates_ =
                repo::backup_fates(info_, into_.retention,
                                   std::chrono::duration_cast<std::chrono::seconds>(now).count());
        } else {
            HD_TRY(const auto label, repo::Label::parse(site_.options.expire_set));
            auto fates = repo::fates_without(info_, label);
            if (!fates) {
                return std::unexpected(
                    ending_with(ExitCode::backup_set_invalid,
                                std::move(fates).error().within(repository_.name())));
            }
            fates_ = *std::move(fates);
        }
        for (const auto& fate : fates_) {
            detail(fmt::format("{} {}: {}", fate.label.text(), fate.stays ? "stays" : "goes",
                               fate.why));
        }
        return {};
    }

    /// The listing first, which then names nothing that is not whole; of the manifests the newest
    /// first: what needs a backup is gone before it is.
    Result<> remove_backups() {
        tell_sets();
        const auto left = repo::after(info_, fates_);
        if (left == info_ || dry()) {
            info_ = left;
            return {};
        }
        HD_TRY_VOID(repository_.save(stanza(), left));
        HD_TRY_VOID(name_latest(left));
        for (const auto& fate : fates_ | std::views::reverse) {
            if (!fate.stays) {
                const auto manifest = repo::manifest_path(stanza(), fate.label);
                HD_TRY_VOID(repository_.files().remove(manifest));
                HD_TRY_VOID(repository_.files().remove(repo::copy_name(manifest)));
            }
        }
        info_ = left;
        return {};
    }

    void tell_sets() const {
        std::vector<repo::Label> told;
        for (const auto& fate : fates_) {
            if (fate.stays || std::ranges::find(told, fate.label) != told.end()) {
                continue;
            }
            std::vector<std::string> set;
            for (const auto& label : info_.with_dependants(fate.label)) {
                set.push_back(label.text());
                told.push_back(label);
            }
            const auto type = fate.label.type() == repo::BackupType::full   ? "full"
                              : fate.label.type() == repo::BackupType::diff ? "diff"
                                                                            : "incr";
            info(fmt::format("expire {} backup {}{}", type, set.size() > 1 ? "set " : "",
                             fmt::join(set, ", ")));
        }
    }

    Result<> name_latest(const repo::BackupInfo& left) {
        const auto path = repo::latest_path(stanza());
        if (left.backups.empty()) {
            return repository_.files().remove(path);
        }
        return repository_.files().link(path, left.backups.rbegin()->first.text());
    }

    /// Folders that no listing names: of what has just gone, or of an earlier run that was broken
    /// off. The newest of all may be a backup that is to be resumed.
    Result<> remove_left_folders() {
        HD_TRY(const auto folders, backup_folders(repository_, stanza()));
        for (const auto& label : folders) {
            const auto goes = std::ranges::find_if(fates_, [&](const repo::BackupFate& fate) {
                return fate.label == label && !fate.stays;
            });
            const bool unfinished = goes == fates_.end() && label == folders.back();
            if (info_.backups.contains(label) || unfinished) {
                continue;
            }
            info("remove expired backup " + label.text());
            if (!dry()) {
                HD_TRY_VOID(repository_.files().remove_tree(repo::backup_path(stanza(), label)));
            }
        }
        return {};
    }

    /// Retention by time says nothing of the WAL until a backup has gone by it.
    Result<> remove_archives() {
        const auto& retention = into_.retention;
        const auto none_gone = std::ranges::all_of(fates_, &repo::BackupFate::stays);
        if (retention.full_by_time && !retention.archive && none_gone) {
            info("no archive to remove");
            return {};
        }
        for (const auto& fate : repo::wal_fates(info_, into_.retention)) {
            const auto id =
                fmt::format("{}-{}", info_.history.at(fate.history_id).version, fate.history_id);
            detail(fmt::format("archive {}: {}", id, fate.why));
            if (fate.stays_whole) {
                info(id + " no archive to remove");
                continue;
            }
            HD_TRY_VOID(remove_archive(id, fate));
        }
        return {};
    }

    Result<> remove_archive(const std::string& id, const repo::WalFate& fate) {
        const auto folder = repo::archive_folder(stanza()) + "/" + id;
        std::vector<files::Entry> entries;
        HD_TRY_VOID(repository_.files().list(folder, [&](const files::Entry& entry) {
            entries.push_back(entry);
            return Result<>{};
        }));
        std::size_t removed = 0;
        std::string first;
        std::string last;
        const auto goes = [&](std::string_view name) {
            ++removed;
            first = first.empty() ? std::string(name.substr(0, 24)) : first;
            last = name.substr(0, 24);
        };
        for (const auto& entry : entries) {
            const auto name = base_of(entry.path);
            if (entry.kind == files::EntryKind::folder && repo::is_wal_folder(name)) {
                HD_TRY_VOID(thin_out(entry.path, fate, goes));
            } else if (entry.kind == files::EntryKind::file && !fate.keeps(name)) {
                HD_TRY_VOID(remove_file(entry.path));
            }
        }
        info(removed == 0
                 ? id + " no archive to remove"
                 : fmt::format("{} remove archive, start = {}, stop = {}", id, first, last));
        return {};
    }

    Result<> thin_out(const std::string& folder, const repo::WalFate& fate,
                      const std::function<void(std::string_view)>& goes) {
        std::vector<std::string> paths;
        HD_TRY_VOID(repository_.files().list(folder, [&](const files::Entry& entry) {
            paths.push_back(entry.path);
            return Result<>{};
        }));
        const auto whole = !fate.keeps_some_of(base_of(folder));
        for (const auto& path : paths) {
            if (!whole && fate.keeps(base_of(path))) {
                continue;
            }
            goes(base_of(path));
            if (!whole) {
                HD_TRY_VOID(remove_file(path));
            }
        }
        return whole && !dry() ? repository_.files().remove_tree(folder) : Result<>{};
    }

    Result<> remove_file(const std::string& path) {
        return dry() ? Result<>{} : repository_.files().remove(path);
    }

    Result<> remove_history() {
        if (!into_.history_days) {
            return {};
        }
        const auto since = local_time(std::time(nullptr)) - std::chrono::days(*into_.history_days);
        std::vector<std::string> years;
        HD_TRY_VOID(repository_.files().list(repo::backup_folder(stanza()) + "/backup.history",
                                             [&](const files::Entry& entry) {
                                                 years.push_back(entry.path);
                                                 return Result<>{};
                                             }));
        for (const auto& year : years) {
            std::vector<std::string> gone;
            HD_TRY_VOID(repository_.files().list(year, [&](const files::Entry& entry) {
                const auto name = base_of(entry.path);
                const auto label = repo::Label::parse(name.substr(0, name.find('.')));
                if (label && !repo::history_stays(*label, info_, since)) {
                    gone.push_back(entry.path);
                }
                return Result<>{};
            }));
            for (const auto& path : gone) {
                info("remove manifest " + std::string(base_of(path)) + " from history");
                HD_TRY_VOID(remove_file(path));
            }
        }
        return {};
    }

    const Site& site_;
    Repository& repository_;
    const RepositoryOptions& into_;
    repo::BackupInfo info_{};
    std::vector<repo::BackupFate> fates_{};
};

void warn_without_retention(const Site& site, const RepositoryOptions& options) {
    if (!options.retention.full) {
        site.notes.warn(fmt::format(
            "option 'repo{0}-retention-full' is not set for 'repo{0}-retention-full-type={1}': the "
            "repository may run out of space; to keep all backups on purpose, set it to the "
            "maximum",
            options.index, options.retention.full_by_time ? "time" : "count"));
    }
}

}  // namespace

Result<> expire(Site& site) {
    HD_TRY_VOID(site.may_work());
    HD_TRY(const auto lock, site.lock(LockKind::backup));
    for (auto& repository : site.repositories) {
        warn_without_retention(site, site.options.repository(repository.index()));
        HD_TRY_VOID(Expire(site, repository).run());
    }
    return {};
}

}  // namespace howdah::backup
