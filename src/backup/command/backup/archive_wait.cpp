#include "backup/command/backup/archive_wait.h"

#include <fmt/format.h>

#include <thread>

#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "io/task.h"
#include "repo/archive_name.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

constexpr Millis between_looks{100};

/// "": it is not there yet.
Result<std::string> stored_segment(Repository& repository, const std::string& folder,
                                   const std::string& name) {
    std::string found;
    HD_TRY_VOID(repository.files().list(folder, [&](const files::Entry& entry) -> Result<> {
        const auto segment =
            repo::parse_stored_segment(entry.path.substr(entry.path.rfind('/') + 1));
        if (!segment || segment->partial() || segment->name != name) {
            return {};
        }
        if (!found.empty()) {
            return fail_with(ExitCode::archive_duplicate, Errc::conflict,
                             fmt::format("WAL segment {} is in the archive twice: {} and {}", name,
                                         found, entry.path),
                             "two clusters may be archiving into one stanza");
        }
        found = entry.path;
        return {};
    }));
    return found;
}

/// A segment on the server's own disk.
struct OwnSegment {
    std::string name{}, path{}, status{};  ///< `status`: of archiving, without its ending

    static OwnSegment of(const std::string& data_directory, const std::string& name) {
        const auto wal = data_directory + "/pg_wal/";
        return {.name = name, .path = wal + name, .status = wal + "archive_status/" + name};
    }
    /// What archive_command has said of it stands; so it does when the file has gone.
    Result<bool> is_archived() const {
        HD_TRY(const auto here, is_there(path));
        return here ? is_there(status + ".done") : Result<bool>(true);
    }
};

/// Whether `stored` is this server's segment, and not one that had its name before. What is not
/// archived yet may still be written to: false. Errors: ExitCode::archive_duplicate.
Result<bool> is_own(const OwnSegment& own, const std::string& stored) {
    HD_TRY(const auto archived, own.is_archived());
    if (archived) {
        return true;
    }
    HD_TRY(const auto complete, is_there(own.status + ".ready"));
    const auto sum = sum_of_local(own.path);
    if (!sum && sum.error().code != Errc::not_found) {
        return std::unexpected(sum.error());
    }
    if (sum && *sum == repo::parse_stored_segment(stored.substr(stored.rfind('/') + 1))->sum) {
        return true;
    }
    // It may have been archived, and written over, while it was read.
    HD_TRY(const auto still_complete, is_there(own.status + ".ready"));
    if (!complete || !still_complete) {
        return false;
    }
    return fail_with(
        ExitCode::archive_duplicate, Errc::conflict,
        fmt::format("{} is in the archive with another content than in {}", stored, own.path),
        "this cluster was put back from an older copy without a new timeline, or "
        "another copy of it archives here: no backup would restore with that WAL. "
        "Archive into another stanza, or restore, which begins a new timeline");
}

}  // namespace

Result<std::vector<std::string>> wait_for_archive(const Site& site, Repository& repository,
                                                  const NeededWal& needed) {
    const auto limit = site.options.backup.archive_timeout;
    const io::SystemClock clock;
    std::vector<std::string> stored;
    for (auto segment = needed.first; segment <= needed.last;
         segment = segment.next(needed.segment_bytes)) {
        const auto name = segment.name();
        const auto folder = fmt::format("{}/{}/{}", repo::archive_folder(site.stanza()),
                                        needed.archive_id, repo::wal_folder(name));
        const auto own = OwnSegment::of(needed.data_directory, name);
        const auto end = clock.now() + limit;
        while (true) {
            HD_TRY(auto path, stored_segment(repository, folder, name));
            HD_TRY(const auto good, path.empty() ? Result<bool>(false) : is_own(own, path));
            if (good) {
                stored.push_back(std::move(path));
                break;
            }
            if (clock.now() >= end) {
                return fail_with(
                    ExitCode::archive_timeout, Errc::timeout,
                    fmt::format("WAL segment {} was not archived before the {}ms timeout", name,
                                limit.count()),
                    "check archive_command and PostgreSQL's log; is the stanza stopped? "
                    "archive-timeout sets the limit");
            }
            std::this_thread::sleep_for(between_looks);
        }
    }
    return stored;
}

}  // namespace howdah::backup
