#pragma once

#include <cstdint>

#include "repo/manifest/block_map.h"
#include "repo/manifest/block_plan.h"
#include "repo/stream/filter.h"
#include "repo/stream/stored_form.h"

namespace howdah::repo {

/// What a block-incremental file is written with.
struct BlockWriting {
    BlockFacts facts{};  ///< block and checksum size; the map's size comes from the writer
    std::uint64_t super_block_size = 0;  ///< of super_block_size()
    std::uint32_t reference = 0;         ///< index of this backup in ManifestHeader::references
    std::uint32_t bundle = 0;            ///< 0: a file of its own
    std::uint64_t offset = 0;            ///< where the file begins in the bundle
    StoredForm form{};
};

/// A filter from a file's content to its stored form: new and changed blocks in super blocks, then
/// the map. Keeps one super block in memory. Where nothing has changed it writes nothing.
class BlockWriter final : public Filter {
public:
    /// `prior`: the file's map in the prior backup, if it has one of the same sizes; its references
    /// are smaller than `writing.reference`. Copied.
    BlockWriter(BlockWriting writing, BlockMap prior, SaltSource salt);

    /// Errors: Errc::corrupt when the prior map refers to this backup or a later one.
    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override;
    /// For another reading of the same file.
    void reset() override;

    /// When it is done: every block is as in the prior backup, and the file shall refer to that.
    bool unchanged() const { return done_ && same_; }
    /// When it is done: what belongs in the manifest.
    BlockFacts facts() const;
    const BlockMap& map() const { return map_; }

private:
    void take(Bytes& in);
    void end_block();
    void flush_super_block();
    void end_file();
    void give(MutableBytes& out);
    bool same_as_prior() const;

    BlockWriting writing_;
    BlockMap prior_;
    Pipeline packer_;      ///< of super blocks
    Pipeline map_packer_;  ///< of the map
    ByteBuffer block_{};
    ByteBuffer super_block_{};
    std::vector<std::size_t> members_{};  ///< numbers of the blocks in super_block_
    BlockMap map_{};
    std::uint64_t written_ = 0;
    std::uint64_t map_size_ = 0;
    ByteBuffer waiting_{};
    std::size_t waiting_at_ = 0;
    bool same_ = false;
    bool ended_ = false;
    bool done_ = false;
};

}  // namespace howdah::repo
