#include "repo/manifest/block_writer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace howdah::repo {
namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

StoredForm raw_form(StoredForm form) {
    form.raw = true;
    return form;
}

StoredForm map_form(const StoredForm& form) {
    return StoredForm{.cipher_pass = form.cipher_pass, .raw = true};
}

}  // namespace

BlockWriter::BlockWriter(BlockWriting writing, BlockMap prior, SaltSource salt)
    : writing_(std::move(writing)),
      prior_(std::move(prior)),
      packer_(writer_of(raw_form(writing_.form), salt, nullptr, nullptr)),
      map_packer_(writer_of(map_form(writing_.form), std::move(salt), nullptr, nullptr)) {
    HD_CHECK(writing_.facts.block_size > 0);
    HD_CHECK(writing_.super_block_size >= writing_.facts.block_size);
    block_.reserve(writing_.facts.block_size);
}

void BlockWriter::reset() {
    packer_.reset();
    map_packer_.reset();
    block_.clear();
    super_block_.clear();
    members_.clear();
    map_.blocks.clear();
    written_ = map_size_ = 0;
    waiting_.clear();
    waiting_at_ = 0;
    same_ = ended_ = done_ = false;
}

BlockFacts BlockWriter::facts() const {
    auto facts = writing_.facts;
    facts.map_size = map_size_;
    return facts;
}

void BlockWriter::give(MutableBytes& out) {
    const auto size = std::min(waiting_.size() - waiting_at_, out.size());
    if (size > 0) {
        std::memcpy(out.data(), waiting_.data() + waiting_at_, size);
        out = out.subspan(size);
        waiting_at_ += size;
    }
}

Result<Flow> BlockWriter::step(Bytes& in, MutableBytes& out, bool last) {
    const auto from_now = [&](const MappedBlock& block) {
        return block.place.reference >= writing_.reference;
    };
    if (map_.blocks.empty() && std::ranges::any_of(prior_.blocks, from_now)) {
        return fail(Errc::corrupt, "the block map of the prior backup refers to a later one");
    }
    for (;;) {
        give(out);
        if (waiting_at_ != waiting_.size()) {
            return Flow::wants_room;
        }
        if (ended_) {
            done_ = true;
            return Flow::done;
        }
        if (!in.empty()) {
            take(in);
        } else if (last) {
            end_file();
        } else {
            return Flow::wants_input;
        }
    }
}

void BlockWriter::take(Bytes& in) {
    const auto size = std::min<std::size_t>(in.size(), writing_.facts.block_size - block_.size());
    block_.insert(block_.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(size));
    in = in.subspan(size);
    if (block_.size() == writing_.facts.block_size) {
        end_block();
    }
}

void BlockWriter::end_block() {
    const auto number = map_.blocks.size();
    const auto sum = block_sum(block_, writing_.facts.checksum_size);
    if (number < prior_.blocks.size() && prior_.blocks[number].sum == sum) {
        map_.blocks.push_back(prior_.blocks[number]);
    } else {
        map_.blocks.push_back({.index = static_cast<std::uint32_t>(members_.size()), .sum = sum});
        members_.push_back(number);
        super_block_.insert(super_block_.end(), block_.begin(), block_.end());
        if (super_block_.size() >= writing_.super_block_size) {
            flush_super_block();
        }
    }
    block_.clear();
}

void BlockWriter::flush_super_block() {
    packer_.reset();
    auto packed = run(packer_, super_block_, no_limit);
    HD_CHECK(packed.has_value());
    const SuperBlockPlace place{.reference = writing_.reference,
                                .bundle = writing_.bundle,
                                .offset = writing_.offset + written_,
                                .stored_size = packed->size(),
                                .size = super_block_.size()};
    for (const auto number : members_) {
        map_.blocks[number].place = place;
    }
    written_ += packed->size();
    waiting_ = *std::move(packed);
    waiting_at_ = 0;
    members_.clear();
    super_block_.clear();
}

bool BlockWriter::same_as_prior() const {
    return written_ == 0 && !prior_.blocks.empty() && map_.blocks.size() == prior_.blocks.size();
}

void BlockWriter::end_file() {
    if (!block_.empty()) {
        end_block();
    }
    if (waiting_at_ != waiting_.size()) {
        return;  // the last block has filled a super block
    }
    if (!super_block_.empty()) {
        flush_super_block();
        return;
    }
    ended_ = true;
    same_ = same_as_prior();
    if (same_) {
        return;
    }
    const auto map = map_.render(writing_.facts.block_size, writing_.facts.checksum_size);
    auto packed = run(map_packer_, map, no_limit);
    HD_CHECK(packed.has_value());
    waiting_ = *std::move(packed);
    waiting_at_ = 0;
    map_size_ = waiting_.size();
}

}  // namespace howdah::repo
