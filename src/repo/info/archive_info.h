#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace howdah::repo {

/// One PostgreSQL cluster that a stanza has held.
struct ArchivedCluster {
    std::uint64_t system_id = 0;
    std::string version{};  ///< "9.6", "15"

    bool operator==(const ArchivedCluster&) const = default;
};

/// archive.info: which clusters' WAL the stanza holds.
struct ArchiveInfo {
    std::string written_by{};   ///< backrest-version
    std::string cipher_pass{};  ///< pass phrase of the WAL; empty: the repository is not encrypted
    std::uint32_t current = 0;  ///< id of the cluster that WAL is taken from; always in `history`
    std::map<std::uint32_t, ArchivedCluster> history{};

    /// Errors: those of read_info; Errc::invalid when keys are missing, or when the current id is
    /// not in the history or differs from it.
    static Result<ArchiveInfo> parse(std::string_view text);
    /// Byte for byte what pgBackRest writes for the same facts.
    std::string render() const;

    /// "15-1": the folder of the WAL of cluster `id`. `id` is in the history.
    std::string archive_id(std::uint32_t id) const;
    std::string archive_id() const { return archive_id(current); }
    /// Ids of this very cluster, newest first: where archive-get looks.
    std::vector<std::uint32_t> ids_of(const ArchivedCluster& cluster) const;
    /// stanza-upgrade: a new id after the greatest, which becomes the current one.
    void upgrade(const ArchivedCluster& cluster);

    bool operator==(const ArchiveInfo&) const = default;
};

}  // namespace howdah::repo
