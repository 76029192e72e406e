#include "backup/command/stanza_change.h"

#include <fmt/format.h>

#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "backup/stop_file.h"
#include "repo/info/copies.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

Result<> upgrade_in(const Site& site, Repository& repository, const ClusterFacts& cluster) {
    HD_TRY(auto archive, repository.archive_info(site.stanza()));
    HD_TRY(auto backup, repository.backup_info(site.stanza()));
    const auto& archived = archive.history.at(archive.current);
    const auto archive_is_new =
        archived.system_id != cluster.system_id || archived.version != cluster.version;
    const auto backup_is_new = backup.cluster().system_id != cluster.system_id ||
                               backup.cluster().version != cluster.version;
    if (!archive_is_new && !backup_is_new) {
        site.notes.info(fmt::format("stanza '{}' on {} is already up to date", site.stanza(),
                                    repository.name()));
        return {};
    }
    // Each by itself: an upgrade that was broken off between the two is finished by the next.
    if (archive_is_new) {
        archive.upgrade({.system_id = cluster.system_id, .version = cluster.version});
        HD_TRY_VOID(repository.save(site.stanza(), archive));
    }
    if (backup_is_new) {
        backup.upgrade({.catalog_version = cluster.catalog_version,
                        .control_version = cluster.control_version,
                        .system_id = cluster.system_id,
                        .version = cluster.version});
        HD_TRY_VOID(repository.save(site.stanza(), backup));
    }
    site.notes.info(
        fmt::format("stanza-upgrade for stanza '{}' on {}", site.stanza(), repository.name()));
    return {};
}

Result<> may_be_deleted(const Site& site) {
    if (site.repositories.size() > 1) {
        return fail_with(ExitCode::option_required, Errc::invalid,
                         "stanza-delete needs --repo: there are several repositories",
                         "it deletes from one; name it by its number");
    }
    const auto working = check_not_stopped(site.options.lock_path, site.stanza());
    if (!working && exit_code_of(working.error()) != ExitCode::stop) {
        return working;
    }
    if (working) {
        return fail_with(
            ExitCode::file_missing, Errc::conflict,
            fmt::format("stanza '{}' is not stopped: it is not deleted", site.stanza()),
            "`stop` first, so that nobody archives or backs up meanwhile");
    }
    for (const auto& cluster : site.options.clusters) {
        if (site.options.force || !cluster.host.name.empty()) {
            continue;
        }
        HD_TRY(const auto may_run, is_there(cluster.path + "/postmaster.pid"));
        if (may_run) {
            return fail_with(
                ExitCode::pg_running, Errc::conflict,
                fmt::format("{}/postmaster.pid is there: PostgreSQL may run", cluster.path),
                "stop PostgreSQL, or use --force when its backups are really not wanted");
        }
    }
    return {};
}

}  // namespace

Result<> stanza_upgrade(Site& site) {
    HD_TRY_VOID(site.may_work());
    HD_TRY(const auto archive_lock, site.lock(LockKind::archive));
    HD_TRY(const auto backup_lock, site.lock(LockKind::backup));
    HD_TRY(const auto cluster, site.cluster());
    for (auto& repository : site.repositories) {
        HD_TRY_VOID(upgrade_in(site, repository, cluster));
    }
    return {};
}

Result<> stanza_delete(Site& site) {
    HD_TRY_VOID(site.needs_stanza());
    HD_TRY_VOID(may_be_deleted(site));
    HD_TRY(const auto archive_lock, site.lock(LockKind::archive));
    HD_TRY(const auto backup_lock, site.lock(LockKind::backup));
    auto& repository = site.repositories.front();
    auto& files = repository.files();
    for (const auto& path :
         {repo::archive_info_path(site.stanza()), repo::backup_info_path(site.stanza())}) {
        HD_TRY_VOID(files.remove(path));
        HD_TRY_VOID(files.remove(repo::copy_name(path)));
    }
    HD_TRY_VOID(files.remove_tree(repo::archive_folder(site.stanza())));
    HD_TRY_VOID(files.remove_tree(repo::backup_folder(site.stanza())));
    site.notes.info(fmt::format("stanza '{}' on {} is deleted", site.stanza(), repository.name()));
    // The stop file was for this stanza; that of all stanzas stays.
    HD_TRY_VOID(start(site.options.lock_path, site.stanza()));
    return {};
}

}  // namespace howdah::backup
