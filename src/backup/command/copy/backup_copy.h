#pragma once

#include <cstdint>

#include "backup/repository.h"
#include "backup/site.h"
#include "repo/manifest/manifest.h"

namespace howdah::backup {

/// Both ends of a copy, and what they say of the stanza.
struct CopyEnds {
    Repository& from;
    Repository& to;
    std::string from_pass{}, to_pass{};  ///< of manifests
    std::uint32_t history_id = 0;        ///< of the backup's cluster, at the other end
};

/// One backup into another repository under its own label, in that one's form: its cipher, and
/// compress-type and bundling of the options; those of `prior` when it builds on one. Files that a
/// chain shares stay shared; files in blocks are stored whole. Every content is held against the
/// manifest's sum. `prior`: its prior backup at the other end, nullptr for a full one. Returns the
/// manifest there; the backup counts when backup.info has it, which is the caller's to save.
/// Errors: Errc::corrupt, naming the file that is damaged; those of both ends.
Result<repo::Manifest> copy_backup(const Site& site, const CopyEnds& ends,
                                   const repo::Manifest& original, const repo::Manifest* prior);

}  // namespace howdah::backup
