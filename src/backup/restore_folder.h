#pragma once

#include <optional>
#include <string>

#include "backup/restore_map.h"

namespace howdah::backup {

/// May the folders be written? `keep`: --delta or --force over a data directory that is one.
/// Errors: as restore().
Result<> check_folders(const RestoreMap& map, bool keep);

/// Removes what the backup does not have, and what is of another kind there; `preserve`: but the
/// settings of recovery. Links are never followed.
Result<> clean_folders(const RestoreMap& map, const repo::Manifest& manifest, bool preserve);

/// Makes folders and links of the backup, with their modes and owners.
Result<> make_folders(const RestoreMap& map, const repo::ManifestHeader& header);

/// Who owns and may read a restored file; owners only as root. `mode`, `user`, `group`: as the
/// manifest says, defaults put in.
struct Ownership {
    std::uint16_t mode = 0600;
    std::string user{}, group{};
};
Result<> set_ownership(const std::string& path, const Ownership& ownership);

/// All of a file system that holds a restored folder survives a power failure afterwards.
Result<> make_durable(const RestoreMap& map);

}  // namespace howdah::backup
