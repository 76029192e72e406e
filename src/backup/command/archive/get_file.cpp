#include "backup/command/archive/get_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <map>

#include "backup/command/archive/segment_copy.h"
#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "backup/pump.h"
#include "pg/timeline_history.h"
#include "repo/archive_name.h"
#include "repo/paths.h"
#include "repo/stream/stored_form.h"
#include "repo/timeline_history.h"

namespace howdah::backup {
namespace {

/// Where the file lies in one archive-id; "" if it doesn't.
Result<std::string> find(Repository& repository, const std::string& archive,
                         const std::string& name, repo::WalFile kind) {
    const auto below = repo::wal_folder(name);
    const auto folder = below.empty() ? archive : archive + "/" + below;
    if (!repo::is_hashed(kind)) {
        HD_TRY(const auto entry, repository.files().stat(folder + "/" + name));
        return entry ? entry->path : std::string();
    }
    std::vector<std::string> files;
    HD_TRY_VOID(repository.files().list(folder, [&](const files::Entry& entry) {
        files.push_back(entry.path.substr(entry.path.rfind('/') + 1));
        return Result<>{};
    }));
    const auto chosen = repo::choose_segment(name, files);
    if (chosen) {
        return folder + "/" + *chosen;
    }
    if (chosen.error().code == Errc::not_found) {
        return std::string();
    }
    return std::unexpected(ending_with(ExitCode::archive_duplicate, chosen.error()));
}

/// Whether such files hold a CRC of their content, which who unpacks them compares. Source: RFC
/// 1952, 2.3.1; bzip2's manual.
bool checks_itself(repo::CompressType type) {
    return type == repo::CompressType::gz || type == repo::CompressType::bz2;
}

/// Writes what is stored at `path` into `sink`. Its sum must be the one in its name; of files that
/// check themselves it is not computed, for that takes a third of the command's time. Errors:
/// Errc::corrupt.
Result<> fetch(Repository& repository, const std::string& path, files::Sink& sink,
               const repo::StoredForm& form) {
    const auto segment = repo::parse_stored_segment(path.substr(path.rfind('/') + 1));
    if (!segment || !checks_itself(form.compress)) {
        HD_TRY(const auto sum, repository.get(path, &sink, form));
        return !segment || segment->sum == sum
                   ? Result<>{}
                   : fail(Errc::corrupt,
                          fmt::format("{}: its content has SHA-1 {}", path, sum.hex()));
    }
    auto pipeline = repo::reader_of(form, nullptr, nullptr);
    HD_TRY(const auto source, repository.files().read(path));
    return pump(*source, pipeline, [&](Bytes bytes) { return sink.write(bytes); });
}

Result<bool> get_from(Repository& repository, const std::string& stanza,
                      const ClusterFacts& cluster, const std::string& name, repo::WalFile kind,
                      const std::string& destination) {
    const auto loaded = repository.archive_info(stanza);
    if (!loaded) {
        return std::unexpected(ending_with(ExitCode::repo_invalid, loaded.error()));
    }
    const auto& info = *loaded;
    const auto ids = info.ids_of({.system_id = cluster.system_id, .version = cluster.version});
    if (ids.empty()) {
        return fail_with(ExitCode::repo_invalid, Errc::unsafe,
                         fmt::format("the stanza has never held WAL of cluster {} version {}",
                                     cluster.system_id, cluster.version));
    }
    for (const auto id : ids) {
        const auto archive = repo::archive_folder(stanza) + "/" + info.archive_id(id);
        HD_TRY(const auto path, find(repository, archive, name, kind));
        if (path.empty()) {
            continue;
        }
        HD_TRY(const auto sink, create_local(destination));
        HD_TRY_VOID(fetch(repository, path, *sink,
                          {.compress = repo::type_of_file(path), .cipher_pass = info.cipher_pass}));
        HD_TRY_VOID(sink->finish());
        return true;
    }
    return false;
}

std::string last_part(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// A cluster's WAL in one repository, around a segment that is missing there.
class Surroundings {
public:
    Surroundings(WalHome home, pg::WalSegment missing)
        : home_(std::move(home)), missing_(missing), position_(missing.name().substr(8)) {}

    /// Whether there is WAL of this cluster at all.
    Result<bool> are_empty() {
        HD_TRY_VOID(look());
        return folders_.empty();
    }

    /// After are_empty(): whether WAL comes before it, and WAL after it: later segments of its
    /// timeline, or a timeline that left it behind this segment.
    Result<bool> are_whole() {
        HD_TRY(const auto later, any_segment(folders_of({missing_.timeline}), std::less<>()));
        if (later.empty() && branches_.upper_bound(missing_.timeline) == branches_.end()) {
            return false;  // so for who just asks whether there is more: no history is read
        }
        HD_TRY(auto earlier, earlier_on({missing_.timeline}));
        if (!later.empty() && !earlier.empty()) {
            return true;
        }
        HD_TRY(const auto histories, read_histories());
        if (earlier.empty()) {  // it may be the first of its timeline
            HD_TRY(earlier, earlier_on(repo::ancestors_of(missing_.timeline, histories)));
        }
        if (earlier.empty()) {
            return false;
        }
        HD_TRY(const auto found, segment_size(home_, earlier));
        const auto size = std::has_single_bit(found) && found >= (1U << 20)
                              ? found
                              : pg::WalSegment::default_size;
        return later.empty() ? repo::is_known_to_be_whole(missing_, size, histories)
                             : !repo::is_before_timeline(missing_, size, histories);
    }

private:
    Result<> look() {
        return home_.repository.files().list(home_.folder, [&](const files::Entry& entry) {
            const auto name = last_part(entry.path);
            if (const auto timeline = pg::parse_history_name(name)) {
                branches_[*timeline] = entry.path;
            } else if (repo::is_wal_folder(name)) {
                folders_.push_back(name);
            }
            return Result<>{};
        });
    }

    std::vector<std::string> folders_of(const std::vector<pg::Timeline>& timelines) const {
        std::vector<std::string> found;
        for (const auto& folder : folders_) {
            const auto timeline = pg::WalSegment::parse(folder + "00000000").value().timeline;
            if (std::ranges::find(timelines, timeline) != timelines.end()) {
                found.push_back(folder);
            }
        }
        std::ranges::sort(found, {}, [](const auto& folder) { return folder.substr(8); });
        return found;
    }

    Result<std::string> earlier_on(const std::vector<pg::Timeline>& timelines) {
        auto folders = folders_of(timelines);
        std::ranges::reverse(folders);  // the nearest first
        return any_segment(folders, std::greater<>());
    }

    /// A whole segment in one of the folders, where the missing one's position is `before` its own;
    /// "" if there is none.
    Result<std::string> any_segment(
        const std::vector<std::string>& folders,
        const std::function<bool(std::string_view, std::string_view)>& before) {
        std::string found;
        for (const auto& folder : folders) {
            const auto log = std::string_view(folder).substr(8);
            if (log != position_.substr(0, 8) && !before(position_.substr(0, 8), log)) {
                continue;
            }
            HD_TRY_VOID(home_.repository.files().list(
                home_.folder + "/" + folder, [&](const files::Entry& entry) {
                    const auto segment = repo::parse_stored_segment(last_part(entry.path));
                    if (found.empty() && segment && !segment->partial() &&
                        before(position_, std::string_view(segment->name).substr(8))) {
                        found = segment->name;
                    }
                    return Result<>{};
                }));
            if (!found.empty()) {
                break;
            }
        }
        return found;
    }

    /// Of its timeline and those above. Errors: also Errc::corrupt: what a history would say that
    /// cannot be read, nobody knows.
    Result<repo::Histories> read_histories() {
        repo::Histories histories;
        for (auto at = branches_.lower_bound(missing_.timeline); at != branches_.end(); ++at) {
            auto rows = read_history(at->second);
            if (!rows) {
                auto error = std::move(rows).error().within(at->second);
                error.hint = "bring the history file back, or take it away if it is of no use";
                return std::unexpected(std::move(error));
            }
            histories[at->first] = *std::move(rows);
        }
        return histories;
    }

    Result<std::vector<pg::Branch>> read_history(const std::string& path) {
        HD_TRY(const auto stored, files::read_all(home_.repository.files(), path));
        HD_TRY(const auto text, repo::unpack({.cipher_pass = home_.cipher_pass}, bytes_of(stored),
                                             std::size_t{1} << 20));
        return pg::parse_history(text_of(text));
    }

    WalHome home_;
    pg::WalSegment missing_;
    std::string position_;  ///< log and segment, as names have them
    std::vector<std::string> folders_{};
    std::map<pg::Timeline, std::string> branches_{};  ///< the history files
};

/// Of an archive that holds no WAL: it never did, for backups wait until theirs is there. Errors:
/// Errc::not_found when there are backups that it belongs to; those of backup_info().
Result<> is_rightly_empty(Repository& repository, const std::string& stanza, std::uint32_t id,
                          const std::string& folder) {
    HD_TRY(const auto info, repository.backup_info(stanza));
    for (const auto& [label, backup] : info.backups) {
        if (backup.history_id == id && backup.wal_start && backup.options.archive_check) {
            return fail(Errc::not_found,
                        fmt::format("{} of {} holds no WAL, though backup {} needs it from {} on",
                                    folder, repository.name(), label.text(), *backup.wal_start),
                        "bring the folder back: archive.info names it");
        }
    }
    return {};
}

}  // namespace

Result<> is_end_of_wal(Site& site, const std::string& name) {
    const auto segment = pg::WalSegment::parse(name);
    if (!segment) {
        return {};
    }
    HD_TRY(const auto cluster, site.cluster());
    for (auto& repository : site.repositories) {
        HD_TRY(const auto info, repository.archive_info(site.stanza()));
        for (const auto id :
             info.ids_of({.system_id = cluster.system_id, .version = cluster.version})) {
            const auto archive = repo::archive_folder(site.stanza()) + "/" + info.archive_id(id);
            Surroundings around(
                {.repository = repository, .folder = archive, .cipher_pass = info.cipher_pass},
                *segment);
            HD_TRY(const auto empty, around.are_empty());
            if (empty) {
                HD_TRY_VOID(is_rightly_empty(repository, site.stanza(), id, archive));
                continue;
            }
            HD_TRY(const auto amidst, around.are_whole());
            if (amidst) {
                return fail(
                    Errc::not_found,
                    fmt::format("WAL segment {} is missing in the midst of the WAL in {}: recovery "
                                "would end before it and lose what comes later",
                                name, repository.name()),
                    "bring it back into the repository; or restore again with --type=immediate or "
                    "a --target before it, which leaves out what comes later on purpose");
            }
        }
    }
    return {};
}

Result<bool> get_file(Site& site, const ClusterFacts& cluster, const std::string& name,
                      const std::string& destination) {
    HD_TRY(const auto kind, repo::wal_file(name));
    std::optional<Error> failed;
    for (auto& repository : site.repositories) {
        auto found = get_from(repository, site.stanza(), cluster, name, kind, destination);
        if (found && *found) {
            if (failed) {
                site.notes.warn(failed->message);
            }
            return true;
        }
        if (!found && !failed) {
            failed = std::move(found).error().within(repository.name());
        } else if (!found) {
            failed->message += "; " + std::move(found).error().within(repository.name()).message;
        }
    }
    // Where one could not be asked, nobody knows whether the file is there.
    return failed ? std::unexpected(*std::move(failed)) : Result<bool>(false);
}

}  // namespace howdah::backup
