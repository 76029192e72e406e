#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "repo/info/json.h"
#include "repo/stream/page_checksum.h"
#include "repo/stream/sha1.h"

namespace howdah::repo {

/// Where a file lies in bundles: number of the bundle, first byte in it.
struct BundlePlace {
    std::uint32_t id = 0;
    std::uint64_t offset = 0;

    bool operator==(const BundlePlace&) const = default;
};

/// How a block-incremental file is cut. Its map is the last `map_size` bytes of what is stored.
struct BlockFacts {
    std::uint32_t block_size = 0;     ///< bytes; a multiple of 8 KiB
    std::uint32_t checksum_size = 6;  ///< bytes of each block's sum
    std::uint64_t map_size = 0;

    bool operator==(const BlockFacts&) const = default;
};

enum class PagesFound : std::uint8_t { unchecked, good, bad };

/// One file of a backup. Its views live as long as what it came from: the table, or the call.
struct ManifestFile {
    std::string name{};  ///< "pg_data/base/5/1249"
    std::uint64_t size = 0;
    std::int64_t modified = 0;        ///< seconds since 1970
    std::optional<Sha1Digest> sum{};  ///< of the content; none for an empty file, or not copied yet
    std::uint64_t stored_size = 0;    ///< in the repository
    std::optional<Sha1Digest> stored_sum{};        ///< of the stored bytes, where these differ
    std::optional<std::uint64_t> original_size{};  ///< when listed, if it changed while copying
    std::string_view reference{};  ///< label of the backup that holds the data; empty: this one
    std::optional<BundlePlace> bundle{};
    std::optional<BlockFacts> blocks{};
    PagesFound pages = PagesFound::unchecked;
    std::optional<PageRuns> bad_pages{};      ///< only of bad ones that are whole pages long
    std::optional<std::string_view> user{};   ///< nullopt: the default; "": a number without a name
    std::optional<std::string_view> group{};  ///< likewise
    std::optional<std::uint16_t> mode{};      ///< nullopt: the default

    bool operator==(const ManifestFile&) const = default;
};

/// The JSON of one line in [target:file].
std::string_view render_file(JsonObject& object, const ManifestFile& file);

/// Strings that a file's views may point to while it is read.
struct FileStrings {
    std::string reference{};
    std::string user{};
    std::string group{};
};
/// Reads the JSON of one line; `file.name` stays as it is. Views point into `strings`.
/// Errors: Errc::invalid: what is missing, too large or does not fit together.
Result<> read_file(std::string_view json, ManifestFile& file, FileStrings& strings);

/// "0600" -> 0600. Errors: Errc::invalid unless it is 4 octal digits.
Result<std::uint16_t> parse_mode(std::string_view text);
std::string mode_text(std::uint16_t mode);
/// A user or group: a name, or false (nullopt when the number had no name). Appends to an object.
void add_owner(JsonObject& object, std::string_view key, std::string_view name);
/// The same way back; false gives "".
Result<std::string> read_owner(JsonReader& json);

}  // namespace howdah::repo
