#include "backup/command/archive/get_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "backup/pump.h"
#include "repo/archive_name.h"
#include "repo/paths.h"
#include "repo/stream/stored_form.h"

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

/// Whether one of the folders holds a segment whose name `counts`.
Result<bool> any_segment(Repository& repository, const std::vector<std::string>& folders,
                         const std::function<bool(std::string_view)>& counts) {
    bool found = false;
    for (const auto& folder : folders) {
        HD_TRY_VOID(repository.files().list(folder, [&](const files::Entry& entry) {
            const auto segment = repo::parse_stored_segment(last_part(entry.path));
            found = found || (segment && !segment->partial() && counts(segment->name));
            return Result<>{};
        }));
        if (found) {
            break;
        }
    }
    return found;
}

/// Whether there are segments of its timeline both before and after it.
Result<bool> is_amidst(Repository& repository, const std::string& archive,
                       const std::string& name) {
    const auto own = archive + "/" + repo::wal_folder(name);
    std::vector<std::string> before{own}, after{own};  // the nearest first
    HD_TRY_VOID(repository.files().list(archive, [&](const files::Entry& entry) {
        const auto folder = last_part(entry.path);
        if (repo::is_wal_folder(folder) && folder.starts_with(name.substr(0, 8)) &&
            entry.path != own) {
            (entry.path < own ? before : after).push_back(entry.path);
        }
        return Result<>{};
    }));
    std::ranges::sort(before, std::greater<>());
    std::ranges::sort(after);
    HD_TRY(const auto goes_on,
           any_segment(repository, after, [&](std::string_view other) { return other > name; }));
    return goes_on ? any_segment(repository, before,
                                 [&](std::string_view other) { return other < name; })
                   : Result<bool>(false);
}

}  // namespace

Result<> is_end_of_wal(Site& site, const std::string& name) {
    if (!pg::WalSegment::parse(name)) {
        return {};
    }
    HD_TRY(const auto cluster, site.cluster());
    for (auto& repository : site.repositories) {
        HD_TRY(const auto info, repository.archive_info(site.stanza()));
        for (const auto id :
             info.ids_of({.system_id = cluster.system_id, .version = cluster.version})) {
            const auto archive = repo::archive_folder(site.stanza()) + "/" + info.archive_id(id);
            HD_TRY(const auto amidst, is_amidst(repository, archive, name));
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
