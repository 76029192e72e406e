#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/repository.h"
#include "backup/site.h"
#include "base/result.h"

namespace howdah::backup {

/// One cluster's WAL in one repository, and how it is stored there.
struct WalHome {
    Repository& repository;
    std::string folder{};       ///< "archive/demo/15-1"
    std::string cipher_pass{};  ///< of the WAL
};

/// Where the stanza of that repository keeps the WAL of this very cluster. Errors:
/// ExitCode::archive_mismatch when it has never had any.
Result<WalHome> wal_home(Repository& repository, const std::string& stanza,
                         const repo::ArchivedCluster& cluster);

/// One segment from one repository to another, in that one's form (`compress`, its cipher); its
/// content is held against the sum in its name before it counts. False: it was there already, with
/// this very content. Errors: Errc::not_found when the first has none; Errc::corrupt when it is
/// damaged there; ExitCode::archive_duplicate when the second has another content under that name.
Result<bool> copy_segment(const Site& site, const WalHome& from, const WalHome& to,
                          const std::string& name);

/// The same for any WAL file; one whose name says nothing of its content is copied as it is unless
/// there is one of that name.
Result<bool> copy_wal_file(const Site& site, const WalHome& from, const WalHome& to,
                           const std::string& name);

/// Bytes of a segment's content, which all of a cluster have in common. Errors: as copy_segment.
Result<std::uint64_t> segment_size(const WalHome& home, const std::string& name);

/// The timelines' history files, as they are. Returns how many were copied.
Result<std::size_t> copy_history_files(const WalHome& from, const WalHome& to);

}  // namespace howdah::backup
