#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/command/backup/session.h"
#include "backup/site.h"
#include "repo/manifest/manifest.h"

namespace howdah::backup {

/// What is listed, and what is left out of it.
struct ListOrder {
    std::string data{};  ///< the data directory
    bool online = true;  ///< PostgreSQL runs, and archives its WAL
    repo::BackedUpCluster cluster{};
    std::vector<ServerTablespace> tablespaces{};  ///< by OID, as the server names them
    /// Paths below the data directory ("log"); with a '/' at the end only what is in them.
    std::vector<std::string> excludes{};
};

/// Walks the data directory, its tablespaces and its links: fills targets, links, paths, defaults
/// and files of `manifest`, sorted, as they are to be copied. What vanishes meanwhile is left out;
/// special files are warned of. Errors: ExitCode::link_expected, ExitCode::link_destination;
/// Errc::io naming the path.
Result<> list_cluster(const ListOrder& order, repo::Manifest& manifest, const Notes& notes);

/// Whether a standby has the same file: "pg_data/base/1/1249", but not a configuration file.
/// global/pg_control comes from the primary, always.
bool is_replicated(std::string_view name);

/// Where a file of the manifest is on this host.
std::string origin_path(const std::string& data, std::string_view name);

}  // namespace howdah::backup
