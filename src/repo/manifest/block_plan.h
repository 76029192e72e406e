#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "repo/manifest/block_map.h"
#include "repo/manifest/manifest_file.h"
#include "repo/stream/stored_form.h"

namespace howdah::repo {

/// How to cut a file for a block-incremental backup, by its size and by how long it has not
/// changed. nullopt: store it whole. `prior`: the file in the prior backup, whose sizes it keeps as
/// long as it has a map and is not smaller than a block.
std::optional<BlockFacts> block_facts(std::uint64_t size, std::chrono::seconds age,
                                      const std::optional<BlockFacts>& prior);

/// Unpacked size of super blocks, in bytes: 1 MiB in full backups, 256 KiB in others, and whole
/// blocks.
std::uint64_t super_block_size(bool full, std::uint32_t block_size);

/// One read of a restore: a super block, and what to take from it.
struct SuperBlockRead {
    SuperBlockPlace place{};
    struct Part {
        std::uint32_t index = 0;  ///< of the block in the super block
        std::uint64_t block = 0;  ///< number of the block in the file
    };
    std::vector<Part> parts{};
};

/// What to read for the blocks of `map` that `wanted` says (all, if it is empty), each super block
/// once, in the order of the file.
std::vector<SuperBlockRead> reads_of(const BlockMap& map, const std::vector<bool>& wanted = {});

/// Of `content`, a file that is there already, which blocks are not as the map says. Feed it the
/// file in order, block by block; a block that is missing is wanted.
class BlockCompare {
public:
    BlockCompare(const BlockMap& map, std::uint32_t checksum_size)
        : map_(map), checksum_size_(checksum_size), wanted_(map.blocks.size(), true) {}
    void block(std::size_t number, Bytes content);
    const std::vector<bool>& wanted() const { return wanted_; }

private:
    const BlockMap& map_;
    std::uint32_t checksum_size_;
    std::vector<bool> wanted_;
};

/// A map as stored: encrypted raw, never compressed. `form` is that of the file.
Result<BlockMap> unpack_map(const StoredForm& form, Bytes stored, const BlockFacts& facts);
/// A super block, checked to have the size that the map says, and the sums of the blocks in `read`.
/// It takes 256 MiB at most. Errors: Errc::corrupt.
Result<ByteBuffer> unpack_super_block(const StoredForm& form, Bytes stored,
                                      const SuperBlockRead& read, const BlockFacts& facts,
                                      const BlockMap& map);

}  // namespace howdah::repo
