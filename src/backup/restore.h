#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backup/options.h"
#include "backup/repository.h"

namespace howdah::backup {

struct RestoreOrder {
    std::string stanza{};
    std::string data_directory{};
    RestoreOptions options{};
    bool force = false;
    std::uint32_t process_max = 1;
    std::string restore_command{};  ///< with %f and %p
};

/// What a restore tells while it works; all may be empty.
struct RestoreNotes {
    std::function<void(const std::string&)> info{};
    std::function<void(const std::string&)> warn{};
    /// From any thread: bytes written or found right, of all.
    std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
};

/// Puts a backup back and leaves it ready to recover. pg_control comes last, so that what was
/// broken off does not start. Nothing on disk is touched before the order, the backup's manifest
/// and the target folders have been found right.
/// Errors: Errc::conflict where PostgreSQL runs or a folder is not empty, Errc::unsafe over the
/// data directory of another cluster, Errc::not_found without a backup that fits, Errc::invalid for
/// the order, Errc::corrupt, naming the file, for damage, Errc::io.
Result<> restore(std::vector<Repository>& repositories, const RestoreOrder& order,
                 const RestoreNotes& notes);

}  // namespace howdah::backup
