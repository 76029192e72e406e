#include "repo/manifest/block_map.h"

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <utility>

#include "repo/manifest/varint.h"

namespace howdah::repo {
namespace {

// Of a reference number and its run.
constexpr std::uint64_t last_run = 1;
constexpr std::uint64_t bundle_follows = 2;  // of a reference that is new
constexpr std::uint64_t continued = 2;       // of one that is not
constexpr std::uint64_t offset_follows = 4;
constexpr std::uint64_t continued_is_last = 4;
// Of a super block.
constexpr std::uint64_t last_in_run = 1;
constexpr std::uint64_t size_changes = 2;
constexpr std::uint64_t count_follows = 4;
constexpr int flag_bits = 3;

// No super block comes near; sums of a few such numbers don't overflow.
constexpr std::uint64_t largest = std::uint64_t{1} << 48;
// One is unpacked in memory, so that a small map must not ask for much of it.
constexpr std::uint64_t largest_super_block = std::uint64_t{256} << 20;

/// What the map has said so far of one backup.
struct Holder {
    SuperBlockPlace place{};
    std::uint32_t next = 0;  ///< block in the super block
};

std::unexpected<Error> damaged(const char* why) {
    return fail(Errc::corrupt, std::string("the block map is damaged: ") + why);
}

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
    return (a + b - 1) / b;
}

class Decoder {
public:
    Decoder(Bytes map, std::uint32_t block_size, std::uint32_t checksum_size)
        : rest_(map), block_size_(block_size), checksum_size_(checksum_size) {}

    Result<BlockMap> decode() {
        HD_TRY(const auto flags, number());
        if (flags != 0) {
            return damaged("its version is not known");
        }
        for (bool last = false; !last;) {
            HD_TRY(last, run());
        }
        if (!rest_.empty()) {
            return damaged("bytes follow its end");
        }
        return std::move(map_);
    }

private:
    Result<std::uint64_t> number() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 63; shift += 7) {
            if (rest_.empty()) {
                return damaged("it ends too soon");
            }
            const auto byte = std::to_integer<std::uint64_t>(rest_.front());
            rest_ = rest_.subspan(1);
            value |= (byte & 0x7F) << shift;
            if (byte < 0x80) {
                return value;
            }
        }
        return damaged("a number is too large");
    }
    Result<std::uint64_t> limited() {
        HD_TRY(const auto value, number());
        if (value > largest) {
            return damaged("a number is absurd");
        }
        return value;
    }

    Result<bool> run() {
        HD_TRY(const auto head, number());
        const auto reference = head >> flag_bits;
        if (reference > UINT32_MAX) {
            return damaged("a reference is absurd");
        }
        const auto [found, fresh] = holders_.try_emplace(static_cast<std::uint32_t>(reference));
        auto& holder = found->second;
        bool ended = false;
        bool first = true;
        if (fresh) {
            holder.place.reference = static_cast<std::uint32_t>(reference);
            holder.place.size = block_size_;
            HD_TRY_VOID(begin(holder, head));
        } else if (head & continued) {
            last_size_ = holder.place.stored_size;
            HD_TRY_VOID(blocks(holder, true));
            ended = (head & continued_is_last) != 0;
            first = false;
        } else {
            holder.place.offset += holder.place.stored_size;
            HD_TRY_VOID(move(holder, head));
        }
        while (!ended) {
            HD_TRY(ended, super_block(holder, first));
            first = false;
        }
        return (head & last_run) != 0;
    }

    Result<> begin(Holder& holder, std::uint64_t head) {
        if (head & bundle_follows) {
            HD_TRY(const auto bundle, number());
            if (bundle > UINT32_MAX) {
                return damaged("a bundle number is absurd");
            }
            holder.place.bundle = static_cast<std::uint32_t>(bundle);
        }
        return move(holder, head);
    }

    Result<> move(Holder& holder, std::uint64_t head) {
        if (head & offset_follows) {
            HD_TRY(const auto offset, limited());
            holder.place.offset += offset;
        }
        return holder.place.offset > largest ? damaged("an offset is absurd") : Result<>();
    }

    /// True if it is the last of its run.
    Result<bool> super_block(Holder& holder, bool first) {
        HD_TRY(const auto head, number());
        auto& place = holder.place;
        if (!first) {
            place.offset += place.stored_size;
        }
        HD_TRY(place.stored_size, stored_size(head >> flag_bits));
        if (head & size_changes) {
            HD_TRY(place.size, super_size());
        }
        holder.next = 0;
        last_size_ = place.stored_size;
        HD_TRY_VOID(blocks(holder, (head & count_follows) != 0));
        return (head & last_in_run) != 0;
    }

    Result<std::uint64_t> stored_size(std::uint64_t value) const {
        const auto size =
            last_size_ == 0 ? value : last_size_ + static_cast<std::uint64_t>(unzigzag(value));
        if (size == 0 || size > largest) {
            return damaged("a stored size is absurd");
        }
        return size;
    }

    Result<std::uint64_t> super_size() {
        HD_TRY(const auto value, limited());
        auto size = (value >> 1) * block_size_;
        if (value & 1) {
            HD_TRY(const auto remainder, limited());
            size += remainder;
        }
        const auto most = std::max<std::uint64_t>(largest_super_block, block_size_);
        if (size == 0 || (value >> 1) > largest / block_size_ || size > most) {
            return damaged("a super block's size is absurd");
        }
        return size;
    }

    Result<> blocks(Holder& holder, bool counted) {
        const auto in_all = ceil_div(holder.place.size, block_size_);
        auto count = in_all;
        std::uint64_t next = holder.next;
        if (counted) {
            HD_TRY(const auto head, limited());
            count = (head >> 1) + 1;
            if (head & 1) {
                HD_TRY(const auto gap, limited());
                next += gap;
            }
        }
        if (next + count > in_all) {
            return damaged("a super block holds fewer blocks");
        }
        if (count > rest_.size() / checksum_size_) {
            return damaged("it ends too soon");
        }
        for (std::uint64_t i = 0; i < count; ++i) {
            auto& block = map_.blocks.emplace_back(
                MappedBlock{.place = holder.place, .index = static_cast<std::uint32_t>(next + i)});
            std::ranges::copy(rest_.first(checksum_size_), block.sum.begin());
            rest_ = rest_.subspan(checksum_size_);
        }
        holder.next = static_cast<std::uint32_t>(next + count);
        return {};
    }

    Bytes rest_;
    std::uint32_t block_size_;
    std::uint32_t checksum_size_;
    std::map<std::uint32_t, Holder> holders_{};
    std::uint64_t last_size_ = 0;  ///< stored size of the super block before; 0: there is none
    BlockMap map_{};
};

/// Blocks that follow each other in the file and in one super block.
struct Piece {
    const SuperBlockPlace* place = nullptr;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    const MappedBlock* blocks = nullptr;
};

class Encoder {
public:
    Encoder(std::uint32_t block_size, std::uint32_t checksum_size)
        : block_size_(block_size), checksum_size_(checksum_size) {}

    ByteBuffer encode(const std::vector<MappedBlock>& blocks) {
        append_varint(out_, 0);
        const auto pieces = cut(blocks);
        for (std::size_t at = 0; at < pieces.size();) {
            const auto end = run_end(pieces, at);
            run(std::span(pieces).subspan(at, end - at), end == pieces.size());
            at = end;
        }
        return std::move(out_);
    }

private:
    static std::vector<Piece> cut(const std::vector<MappedBlock>& blocks) {
        std::vector<Piece> pieces;
        for (const auto& block : blocks) {
            if (!pieces.empty() && *pieces.back().place == block.place &&
                pieces.back().first + pieces.back().count == block.index) {
                ++pieces.back().count;
            } else {
                pieces.push_back({&block.place, block.index, 1, &block});
            }
        }
        return pieces;
    }

    /// A run is of one backup, and its super blocks lie one behind the other.
    static std::size_t run_end(const std::vector<Piece>& pieces, std::size_t at) {
        const auto follows = [](const SuperBlockPlace& a, const SuperBlockPlace& b) {
            return a.reference == b.reference && b.offset == a.offset + a.stored_size;
        };
        while (++at < pieces.size() && follows(*pieces[at - 1].place, *pieces[at].place)) {
        }
        return at;
    }

    void run(std::span<const Piece> pieces, bool last) {
        const auto& place = *pieces.front().place;
        const auto [found, fresh] = holders_.try_emplace(place.reference);
        auto& holder = found->second;
        const auto reference = std::uint64_t{place.reference} << flag_bits | (last ? last_run : 0);
        if (!fresh && holder.place == place) {
            append_varint(out_,
                          reference | continued | (pieces.size() == 1 ? continued_is_last : 0));
            last_size_ = place.stored_size;
            count(holder, pieces.front());
            pieces = pieces.subspan(1);
        } else if (fresh) {
            holder.place.size = block_size_;
            append_varint(out_, reference | (place.bundle != 0 ? bundle_follows : 0) |
                                    (place.offset != 0 ? offset_follows : 0));
            if (place.bundle != 0) {
                append_varint(out_, place.bundle);
            }
            if (place.offset != 0) {
                append_varint(out_, place.offset);
            }
        } else {
            const auto gap = place.offset - (holder.place.offset + holder.place.stored_size);
            append_varint(out_, reference | (gap != 0 ? offset_follows : 0));
            if (gap != 0) {
                append_varint(out_, gap);
            }
        }
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            super_block(holder, pieces[i], i + 1 == pieces.size());
        }
    }

    void super_block(Holder& holder, const Piece& piece, bool last) {
        const auto& place = *piece.place;
        const bool resized = place.size != holder.place.size;
        const bool whole = piece.first == 0 && piece.count == ceil_div(place.size, block_size_);
        const auto size = last_size_ == 0 ? place.stored_size
                                          : zigzag(static_cast<std::int64_t>(place.stored_size) -
                                                   static_cast<std::int64_t>(last_size_));
        append_varint(out_, size << flag_bits | (last ? last_in_run : 0) |
                                (resized ? size_changes : 0) | (whole ? 0 : count_follows));
        if (resized) {
            const auto remainder = place.size % block_size_;
            append_varint(out_, place.size / block_size_ << 1 | (remainder != 0 ? 1 : 0));
            if (remainder != 0) {
                append_varint(out_, remainder);
            }
        }
        holder = Holder{.place = place};
        last_size_ = place.stored_size;
        if (whole) {
            sums(holder, piece);
        } else {
            count(holder, piece);
        }
    }

    void count(Holder& holder, const Piece& piece) {
        HD_CHECK(piece.first >= holder.next);
        const auto gap = piece.first - holder.next;
        append_varint(out_, std::uint64_t{piece.count - 1} << 1 | (gap != 0 ? 1 : 0));
        if (gap != 0) {
            append_varint(out_, gap);
        }
        sums(holder, piece);
    }

    void sums(Holder& holder, const Piece& piece) {
        for (const auto& block : std::span(piece.blocks, piece.count)) {
            out_.insert(out_.end(), block.sum.begin(), block.sum.begin() + checksum_size_);
        }
        holder.next = piece.first + piece.count;
    }

    std::uint32_t block_size_;
    std::uint32_t checksum_size_;
    std::map<std::uint32_t, Holder> holders_{};
    std::uint64_t last_size_ = 0;
    ByteBuffer out_{};
};

}  // namespace

BlockSum block_sum(Bytes block, std::uint32_t checksum_size) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(block.data(), block.size()));
    const auto bytes = std::as_bytes(std::span(canonical.digest));
    BlockSum sum{};
    std::ranges::copy(bytes.first(checksum_size), sum.begin());
    return sum;
}

Result<BlockMap> BlockMap::parse(Bytes map, std::uint32_t block_size, std::uint32_t checksum_size) {
    HD_CHECK(block_size > 0 && checksum_size > 0 && checksum_size <= BlockSum{}.size());
    return Decoder(map, block_size, checksum_size).decode();
}

ByteBuffer BlockMap::render(std::uint32_t block_size, std::uint32_t checksum_size) const {
    return Encoder(block_size, checksum_size).encode(blocks);
}

}  // namespace howdah::repo
