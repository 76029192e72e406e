#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace howdah::backup {

/// What a data directory says of its cluster.
struct ClusterFacts {
    std::uint64_t system_id = 0;
    std::string version{};  ///< "15"
    std::uint32_t control_version = 0;
    std::uint32_t catalog_version = 0;

    bool operator==(const ClusterFacts&) const = default;
};

/// global/pg_control, read again until its checksum is right: PostgreSQL may be writing it.
/// Errors: Errc::corrupt when it never is; Errc::not_found, Errc::io.
Result<std::string> read_control(const std::string& data_directory);

/// From PG_VERSION and global/pg_control. Errors: Errc::not_found, Errc::corrupt, Errc::io.
Result<ClusterFacts> cluster_facts(const std::string& data_directory);

/// A process of PostgreSQL that works in the folder, even if somebody has removed its
/// postmaster.pid: 0 if there is none that this user may see.
int server_in(const std::string& data_directory);

}  // namespace howdah::backup
