#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pg/wal_segment.h"
#include "repo/stream/compression.h"
#include "repo/stream/sha1.h"

namespace howdah::repo {

/// What PostgreSQL asks to archive.
enum class WalFile : std::uint8_t { segment, partial, backup_label, history };

/// Errors: Errc::invalid for a name that is none of these. What passes is safe as a path's part.
Result<WalFile> wal_file(std::string_view name);

/// Only segments, whole or partial, are compressed, and carry their sum in the name.
constexpr bool is_hashed(WalFile kind) {
    return kind == WalFile::segment || kind == WalFile::partial;
}

/// Folder in the archive-id that `name` lies in: "0000000100000000"; "" for history files.
/// `name` is one that wal_file() knows.
std::string wal_folder(std::string_view name);
/// The stored name: "000000010000000000000003-f297….gz" for segments, the name itself otherwise.
std::string stored_wal_name(std::string_view name, const Sha1Digest& sum, CompressType compress);

/// A segment as the repository holds it.
struct StoredSegment {
    std::string name{};  ///< as PostgreSQL knows it: 24 digits, and ".partial" maybe
    Sha1Digest sum{};    ///< of its content
    CompressType compress = CompressType::none;

    bool partial() const { return name.size() > 24; }
    std::string_view segment() const { return std::string_view(name).substr(0, 24); }
};

/// nullopt for other files: readers pass over them.
std::optional<StoredSegment> parse_stored_segment(std::string_view file_name);

/// Which of the files in its folder holds segment `name`. Several with one content (compressed
/// differently) are fine. Errors: Errc::not_found; Errc::conflict when contents differ.
Result<std::string> choose_segment(std::string_view name, const std::vector<std::string>& files);

/// A folder of an archive: PostgreSQL's version and history id, "15-1".
struct ArchiveId {
    std::string version{};
    std::uint32_t id = 0;

    /// Errors: Errc::invalid.
    static Result<ArchiveId> parse(std::string_view text);
    std::string text() const;
    bool operator==(const ArchiveId&) const = default;
};

/// A folder of segments: 16 upper-case hexadecimal digits.
bool is_wal_folder(std::string_view name);

}  // namespace howdah::repo
