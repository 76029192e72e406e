#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace howdah::repo {

/// The first bytes of a block's XXH3-128 (big-endian form); those behind BlockFacts::checksum_size
/// are 0.
using BlockSum = std::array<std::byte, 16>;
BlockSum block_sum(Bytes block, std::uint32_t checksum_size);

/// Some blocks, compressed and encrypted together.
struct SuperBlockPlace {
    std::uint32_t reference = 0;  ///< index into ManifestHeader::references: who holds it
    std::uint32_t bundle = 0;     ///< 0: in the file's own .pgbi
    std::uint64_t offset = 0;     ///< in the bundle or file
    std::uint64_t stored_size = 0;
    std::uint64_t size = 0;  ///< unpacked

    auto operator<=>(const SuperBlockPlace&) const = default;
};

/// Where one block of a file is.
struct MappedBlock {
    SuperBlockPlace place{};
    std::uint32_t index = 0;  ///< of the block in its super block
    BlockSum sum{};

    bool operator==(const MappedBlock&) const = default;
};

/// Where all blocks of a block-incremental file are, in the order of the file.
struct BlockMap {
    std::vector<MappedBlock> blocks{};

    /// `block_size`, `checksum_size`: of the manifest, both above 0.
    /// Errors: Errc::corrupt for what no writer writes.
    static Result<BlockMap> parse(Bytes map, std::uint32_t block_size, std::uint32_t checksum_size);
    /// Blocks of one backup stand in ascending order of place and index, as in every map that
    /// parse() or a writer made.
    ByteBuffer render(std::uint32_t block_size, std::uint32_t checksum_size) const;

    bool operator==(const BlockMap&) const = default;
};

}  // namespace howdah::repo
