#include "repo/manifest/block_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace howdah::repo {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

struct SizeRow {
    std::uint64_t from;
    std::uint64_t block_size;
};
// pgBackRest's defaults of repo-block-size-map.
constexpr std::array size_rows{
    SizeRow{914 * mib, 88 * kib}, SizeRow{740 * mib, 80 * kib}, SizeRow{585 * mib, 72 * kib},
    SizeRow{448 * mib, 64 * kib}, SizeRow{329 * mib, 56 * kib}, SizeRow{228 * mib, 48 * kib},
    SizeRow{146 * mib, 40 * kib}, SizeRow{96 * mib, 32 * kib},  SizeRow{43 * mib, 24 * kib},
    SizeRow{11 * mib, 16 * kib},  SizeRow{16 * kib, 8 * kib}};

struct AgeRow {
    std::chrono::days from;
    std::uint64_t factor;
};
constexpr std::array age_rows{AgeRow{std::chrono::days(28), 0}, AgeRow{std::chrono::days(14), 4},
                              AgeRow{std::chrono::days(7), 2}};

struct SumRow {
    std::uint64_t from;
    std::uint32_t size;
};
constexpr std::array sum_rows{SumRow{4 * mib, 12},  SumRow{2 * mib, 11},  SumRow{1 * mib, 10},
                              SumRow{512 * kib, 9}, SumRow{128 * kib, 8}, SumRow{32 * kib, 7}};

std::uint64_t block_size_for(std::uint64_t size, std::chrono::seconds age) {
    const auto* const row =
        std::ranges::find_if(size_rows, [&](const auto& r) { return size >= r.from; });
    if (row == size_rows.end()) {
        return 0;
    }
    const auto* const old =
        std::ranges::find_if(age_rows, [&](const auto& r) { return age >= r.from; });
    return row->block_size * (old == age_rows.end() ? 1 : old->factor);
}

}  // namespace

std::optional<BlockFacts> block_facts(std::uint64_t size, std::chrono::seconds age,
                                      const std::optional<BlockFacts>& prior) {
    if (prior && prior->map_size != 0 && size >= prior->block_size) {
        return BlockFacts{.block_size = prior->block_size, .checksum_size = prior->checksum_size};
    }
    const auto block_size = block_size_for(size, age);
    if (block_size == 0) {
        return std::nullopt;
    }
    BlockFacts facts{.block_size = static_cast<std::uint32_t>(block_size)};
    const auto* const row =
        std::ranges::find_if(sum_rows, [&](const auto& r) { return block_size >= r.from; });
    if (row != sum_rows.end()) {
        facts.checksum_size = row->size;
    }
    return facts;
}

std::uint64_t super_block_size(bool full, std::uint32_t block_size) {
    const auto wanted = full ? mib : 256 * kib;
    return (wanted + block_size - 1) / block_size * block_size;
}

std::vector<SuperBlockRead> reads_of(const BlockMap& map, const std::vector<bool>& wanted) {
    std::vector<SuperBlockRead> reads;
    std::map<SuperBlockPlace, std::size_t> known;
    for (std::size_t i = 0; i < map.blocks.size(); ++i) {
        if (!wanted.empty() && !wanted[i]) {
            continue;
        }
        const auto& [place, index, sum] = map.blocks[i];
        const auto [found, fresh] = known.try_emplace(place, reads.size());
        if (fresh) {
            reads.push_back({.place = place});
        }
        reads[found->second].parts.push_back({.index = index, .block = i});
    }
    return reads;
}

void BlockCompare::block(std::size_t number, Bytes content) {
    if (number < wanted_.size()) {
        wanted_[number] = block_sum(content, checksum_size_) != map_.blocks[number].sum;
    }
}

Result<BlockMap> unpack_map(const StoredForm& form, Bytes stored, const BlockFacts& facts) {
    const StoredForm raw{.cipher_pass = form.cipher_pass, .raw = true};
    HD_TRY(const auto map, unpack(raw, stored, stored.size()));
    return BlockMap::parse(map, facts.block_size, facts.checksum_size);
}

Result<ByteBuffer> unpack_super_block(const StoredForm& form, Bytes stored,
                                      const SuperBlockRead& read, const BlockFacts& facts,
                                      const BlockMap& map) {
    auto raw = form;
    raw.raw = true;
    HD_TRY(auto content, unpack(raw, stored, read.place.size));
    if (content.size() != read.place.size) {
        return fail(Errc::corrupt, fmt::format("a super block has {} bytes, expected {}",
                                               content.size(), read.place.size));
    }
    for (const auto& part : read.parts) {
        const auto begin = std::uint64_t{part.index} * facts.block_size;
        const auto size = std::min<std::uint64_t>(facts.block_size, content.size() - begin);
        const auto block = Bytes(content).subspan(begin, size);
        if (block_sum(block, facts.checksum_size) != map.blocks[part.block].sum) {
            return fail(Errc::corrupt, fmt::format("block {} has a wrong sum", part.block));
        }
    }
    return content;
}

}  // namespace howdah::repo
