#include "backup/archive_get.h"

#include <fmt/format.h>

#include "backup/local_file.h"
#include "repo/archive_name.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

/// Where the file lies in one archive-id; "" if it doesn't.
Result<std::string> find(Repository& repository, const std::string& archive,
                         const std::string& name, repo::WalFile kind) {
    const auto below = repo::wal_folder(name);
    const auto folder = below.empty() ? archive : archive + "/" + below;
    if (!repo::is_hashed(kind)) {
        HD_TRY(const auto entry, repository.store().stat(folder + "/" + name));
        return entry ? entry->path : std::string();
    }
    std::vector<std::string> files;
    HD_TRY_VOID(repository.store().list(folder, [&](const store::Entry& entry) {
        files.push_back(entry.path.substr(entry.path.rfind('/') + 1));
        return Result<>{};
    }));
    const auto chosen = repo::choose_segment(name, files);
    if (chosen) {
        return folder + "/" + *chosen;
    }
    return chosen.error().code == Errc::not_found ? Result<std::string>{}
                                                  : std::unexpected(chosen.error());
}

Result<bool> get_from(Repository& repository, const std::string& stanza,
                      const ClusterFacts& cluster, const std::string& name, repo::WalFile kind,
                      const std::string& destination) {
    HD_TRY(const auto info, repository.archive_info(stanza));
    const auto ids = info.ids_of({.system_id = cluster.system_id, .version = cluster.version});
    if (ids.empty()) {
        return fail(Errc::unsafe,
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
        HD_TRY(const auto sum, repository.get(path, sink.get(),
                                              {.compress = repo::type_of_file(path),
                                               .cipher_pass = info.cipher_pass}));
        const auto segment = repo::parse_stored_segment(path.substr(path.rfind('/') + 1));
        if (segment && segment->sum != sum) {
            return fail(Errc::corrupt,
                        fmt::format("{}: its content has SHA-1 {}", path, sum.hex()));
        }
        HD_TRY_VOID(sink->finish());
        return true;
    }
    return false;
}

}  // namespace

Result<Got> archive_get(std::vector<Repository>& repositories, const std::string& stanza,
                        const ClusterFacts& cluster, const std::string& name,
                        const std::string& destination) {
    HD_TRY(const auto kind, repo::wal_file(name));
    Got got;
    std::optional<Error> last;
    for (auto& repository : repositories) {
        auto found = get_from(repository, stanza, cluster, name, kind, destination);
        if (found && *found) {
            got.found = true;
            return got;
        }
        if (!found) {
            last = std::move(found).error().within(repository.name());
            got.warnings.push_back(last->message);
        }
    }
    if (last && got.warnings.size() == repositories.size()) {
        return std::unexpected(*std::move(last));
    }
    return got;
}

}  // namespace howdah::backup
