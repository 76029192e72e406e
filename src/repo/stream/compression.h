#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "repo/stream/filter.h"

namespace howdah::repo {

enum class CompressType : std::uint8_t { none, gz, bz2, lz4, zst };

/// "none", "gz", ...: as in configurations and manifests.
std::string_view name_of(CompressType type);
std::optional<CompressType> compress_type(std::string_view name);
/// "", ".gz", ...: at the end of file names.
std::string_view extension_of(CompressType type);
/// The type that the end of `file_name` says; none if it says nothing.
CompressType type_of_file(std::string_view file_name);

struct LevelRange {
    int lowest = 0;
    int highest = 0;
    int standard = 0;
};
LevelRange levels_of(CompressType type);

/// A compressor; nullptr for none. `raw` is the form inside bundles that say so, and inside super
/// blocks: a zlib stream instead of a gzip file, an LZ4 frame without checksum. `level` is one of
/// levels_of(type).
std::unique_ptr<Filter> compressor(CompressType type, int level, bool raw);
/// The way back; nullptr for none. Errors of its steps: Errc::corrupt for damaged or cut data.
std::unique_ptr<Filter> decompressor(CompressType type, bool raw);

}  // namespace howdah::repo
