#pragma once

#include <optional>
#include <string>

#include "backup/command/restore/restore_map.h"
#include "io/fd.h"

namespace howdah::backup {

/// May the folders and files be written? `keep`: --delta or --force over a data directory that is
/// one. Outside of it that reaches only as far as its own links do: what else is there belongs to
/// others. Errors: as restore().
Result<> check_places(const RestoreMap& map, bool keep);

/// Made if need be, and this restore's alone as long as the descriptor lives. Errors:
/// ExitCode::lock_acquire.
Result<io::Fd> lock_folder(const std::string& data_directory);

/// PostgreSQL does not start from here any more, whatever happens next: global/pg_control is gone,
/// durably.
Result<> disarm(const std::string& data_directory);

/// Removes what the backup does not have, and what is of another kind there; not backup.manifest,
/// and with `preserve` not the settings of recovery. Links are never followed.
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
