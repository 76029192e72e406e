#pragma once

#include <string>
#include <vector>

#include "backup/repository.h"

namespace howdah::backup {

/// The backrest-version that Howdah writes. pgBackRest reads any text there.
inline constexpr std::string_view written_by = "Howdah";

/// What a data directory says of its cluster.
struct ClusterFacts {
    std::uint64_t system_id = 0;
    std::string version{};  ///< "15"
    std::uint32_t control_version = 0;
    std::uint32_t catalog_version = 0;

    bool operator==(const ClusterFacts&) const = default;
};

/// From PG_VERSION and global/pg_control. Errors: Errc::not_found, Errc::corrupt, Errc::io.
Result<ClusterFacts> cluster_facts(const std::string& data_directory);

enum class StanzaCreated : std::uint8_t { made, there_already };

/// archive.info and backup.info for this cluster, in one repository; a missing main file or copy is
/// written again. Errors: Errc::conflict when what is there is of another cluster (use
/// stanza-upgrade), or when the folders hold files and no info file; Errc::not_found when only one
/// of the two info files is there.
Result<StanzaCreated> create_stanza(Repository& repository, const std::string& stanza,
                                    const ClusterFacts& cluster);

}  // namespace howdah::backup
