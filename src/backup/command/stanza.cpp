#include "backup/command/stanza.h"

#include <fmt/format.h>

#include "backup/options/exit_code.h"
#include "repo/info/copies.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

bool is_absent(const Error& error) {
    return error.code == Errc::not_found;
}

Result<bool> is_empty(Repository& repository, const std::string& folder) {
    bool empty = true;
    HD_TRY_VOID(repository.files().list(folder, [&](const files::Entry&) {
        empty = false;
        return Result<>{};
    }));
    return empty;
}

Result<> make_info(Repository& repository, const std::string& stanza, const ClusterFacts& cluster) {
    repo::ArchiveInfo archive{
        .written_by = std::string(written_by),
        .cipher_pass = repository.encrypted() ? fresh_pass_phrase() : "",
        .current = 1,
        .history = {{1, {.system_id = cluster.system_id, .version = cluster.version}}}};
    repo::BackupInfo backup{.written_by = std::string(written_by),
                            .cipher_pass = repository.encrypted() ? fresh_pass_phrase() : "",
                            .current = 1,
                            .history = {{1,
                                         {.catalog_version = cluster.catalog_version,
                                          .control_version = cluster.control_version,
                                          .system_id = cluster.system_id,
                                          .version = cluster.version}}}};
    HD_TRY_VOID(repository.save(stanza, archive));
    return repository.save(stanza, backup);
}

Result<> same_cluster(const repo::ArchiveInfo& archive, const repo::BackupInfo& backup,
                      const ClusterFacts& cluster) {
    const auto& archived = archive.history.at(archive.current);
    const auto& backed_up = backup.cluster();
    if (archived.system_id == cluster.system_id && archived.version == cluster.version &&
        backed_up.system_id == cluster.system_id && backed_up.version == cluster.version) {
        return {};
    }
    return fail_with(
        ExitCode::file_invalid, Errc::conflict,
        fmt::format("the stanza is of cluster {} version {}, this is cluster {} version {}",
                    archived.system_id, archived.version, cluster.system_id, cluster.version),
        "after pg_upgrade run stanza-upgrade; otherwise choose another stanza");
}

/// A main file and its copy that say the same.
Result<bool> has_both(Repository& repository, const std::string& path) {
    std::vector<repo::Sha1Digest> sums;
    for (const auto& each : {path, repo::copy_name(path)}) {
        HD_TRY(const auto form, repository.cipher_of(each));
        const auto sum = repository.get(each, nullptr, form);
        if (!sum && sum.error().code != Errc::not_found && sum.error().code != Errc::corrupt) {
            return std::unexpected(sum.error());
        }
        if (sum) {
            sums.push_back(*sum);
        }
    }
    return sums.size() == 2 && sums[0] == sums[1];
}

enum class StanzaCreated : std::uint8_t { made, there_already };

Result<StanzaCreated> create_in(Repository& repository, const std::string& stanza,
                                const ClusterFacts& cluster) {
    const auto archive = repository.archive_info(stanza);
    const auto backup = repository.backup_info(stanza);
    if (!archive && !backup && is_absent(archive.error()) && is_absent(backup.error())) {
        HD_TRY(const auto no_archive, is_empty(repository, repo::archive_folder(stanza)));
        HD_TRY(const auto no_backup, is_empty(repository, repo::backup_folder(stanza)));
        if (!no_archive || !no_backup) {
            return fail(Errc::conflict,
                        fmt::format("{}: the folders of stanza {} hold files, but no archive.info "
                                    "or backup.info",
                                    repository.name(), stanza),
                        "move them away, or bring the info files back");
        }
        HD_TRY_VOID(make_info(repository, stanza, cluster));
        return StanzaCreated::made;
    }
    if (!archive) {
        return std::unexpected(Error(archive.error()).within(repository.name()));
    }
    if (!backup) {
        return std::unexpected(Error(backup.error()).within(repository.name()));
    }
    HD_TRY_VOID(same_cluster(*archive, *backup, cluster));
    HD_TRY(const auto whole_archive, has_both(repository, repo::archive_info_path(stanza)));
    HD_TRY_VOID(whole_archive ? Result<>{} : repository.save(stanza, *archive));
    HD_TRY(const auto whole_backup, has_both(repository, repo::backup_info_path(stanza)));
    HD_TRY_VOID(whole_backup ? Result<>{} : repository.save(stanza, *backup));
    return StanzaCreated::there_already;
}

}  // namespace

Result<> stanza_create(Site& site) {
    HD_TRY_VOID(site.may_work());
    HD_TRY(const auto archive_lock, site.lock(LockKind::archive));
    HD_TRY(const auto backup_lock, site.lock(LockKind::backup));
    HD_TRY(const auto cluster, site.cluster());
    for (auto& repository : site.repositories) {
        HD_TRY(const auto done, create_in(repository, site.stanza(), cluster));
        site.notes.info(done == StanzaCreated::made
                            ? fmt::format("stanza-create for stanza '{}' on {}", site.stanza(),
                                          repository.name())
                            : fmt::format("stanza '{}' already exists on {} and is valid",
                                          site.stanza(), repository.name()));
    }
    return {};
}

}  // namespace howdah::backup
