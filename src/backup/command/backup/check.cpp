#include "backup/command/backup/check.h"

#include <fmt/format.h>

#include "backup/command/backup/archive_wait.h"
#include "backup/command/backup/origin.h"
#include "backup/options/exit_code.h"

namespace howdah::backup {
namespace {

/// Both info files are there and of the cluster that runs here.
Result<std::string> archive_id_of(const Site& site, Repository& repository,
                                  const ClusterFacts& cluster) {
    HD_TRY(const auto archive, repository.archive_info(site.stanza()));
    HD_TRY(const auto backup, repository.backup_info(site.stanza()));
    const auto& archived = archive.history.at(archive.current);
    if (archived.system_id != cluster.system_id || archived.version != cluster.version ||
        backup.cluster().system_id != cluster.system_id ||
        backup.cluster().version != cluster.version) {
        return fail_with(
            ExitCode::file_invalid, Errc::conflict,
            fmt::format("{}: stanza {} is of cluster {} version {}, this is cluster {} "
                        "version {}",
                        repository.name(), site.stanza(), archived.system_id, archived.version,
                        cluster.system_id, cluster.version),
            "after pg_upgrade run stanza-upgrade; otherwise pg1-path or the stanza is "
            "another one's");
    }
    return fmt::format("{}-{}", archived.version, archive.current);
}

Result<pg::WalSegment> close_segment(Session& primary) {
    HD_TRY(const auto name, primary.current_segment());
    HD_TRY_VOID(primary.switch_wal());
    return pg::WalSegment::parse(name);
}

}  // namespace

Result<> check(Site& site) {
    HD_TRY_VOID(site.needs_stanza());
    HD_TRY(const auto own, site.options.cluster());
    HD_TRY(auto session, Session::open(own, site.options.backup.db_timeout));
    HD_TRY(const auto facts, session.facts());
    const auto role = facts.in_recovery ? "standby" : "primary";
    HD_TRY(const auto cluster, site.cluster());
    const auto is_optional = [&](const Repository& repository) {
        return site.options.repository(repository.index()).optional;
    };
    std::vector<std::string> ids;  // "" of an optional repository that does not answer
    for (auto& repository : site.repositories) {
        site.notes.info(fmt::format("check {} configuration ({})", repository.name(), role));
        auto id = archive_id_of(site, repository, cluster);
        if (!id && !is_optional(repository)) {
            return std::unexpected(std::move(id).error());
        }
        if (!id) {
            site.notes.warn(
                fmt::format("{}, which is optional: {}", repository.name(), id.error().message));
        }
        ids.push_back(id.value_or(""));
    }
    HD_TRY_VOID(check_archiving(facts, site.options.backup.archive_mode_check));
    if (facts.in_recovery) {
        site.notes.info("switch wal not performed because this is a standby");
        return {};
    }
    HD_TRY(const auto segment, close_segment(session));
    for (std::size_t i = 0; i < site.repositories.size(); ++i) {
        auto& repository = site.repositories[i];
        if (is_optional(repository)) {
            continue;  // it may be behind: info tells by how much
        }
        site.notes.info(fmt::format("check {} archive for WAL (primary)", repository.name()));
        HD_TRY(const auto paths, wait_for_archive(site, repository,
                                                  {.archive_id = ids[i],
                                                   .first = segment,
                                                   .last = segment,
                                                   .segment_bytes = facts.wal_segment_bytes,
                                                   .data_directory = facts.data_directory}));
        site.notes.info(fmt::format("WAL segment {} successfully archived to '{}/{}' on {}",
                                    segment.name(), repository.files().name(), paths.front(),
                                    repository.name()));
    }
    return {};
}

}  // namespace howdah::backup
