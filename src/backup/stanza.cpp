#include "backup/stanza.h"

#include <fmt/format.h>

#include "io/files.h"
#include "pg/control_file.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

bool is_absent(const Error& error) {
    return error.code == Errc::not_found;
}

Result<bool> is_empty(Repository& repository, const std::string& folder) {
    bool empty = true;
    HD_TRY_VOID(repository.store().list(folder, [&](const store::Entry&) {
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
    return fail(
        Errc::conflict,
        fmt::format("the stanza is of cluster {} version {}, this is cluster {} version {}",
                    archived.system_id, archived.version, cluster.system_id, cluster.version),
        "after pg_upgrade run stanza-upgrade; otherwise choose another stanza");
}

}  // namespace

Result<ClusterFacts> cluster_facts(const std::string& data_directory) {
    HD_TRY(auto version, io::read_file(data_directory + "/PG_VERSION"));
    while (!version.empty() && version.back() == '\n') {
        version.pop_back();
    }
    HD_TRY(const auto bytes, io::read_file(data_directory + "/global/pg_control"));
    HD_TRY(const auto control, pg::ControlFile::parse(bytes_of(bytes)));
    return ClusterFacts{.system_id = control.system_id,
                        .version = version,
                        .control_version = control.control_version,
                        .catalog_version = control.catalog_version};
}

Result<StanzaCreated> create_stanza(Repository& repository, const std::string& stanza,
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
    HD_TRY_VOID(repository.save(stanza, *archive));
    HD_TRY_VOID(repository.save(stanza, *backup));
    return StanzaCreated::there_already;
}

}  // namespace howdah::backup
