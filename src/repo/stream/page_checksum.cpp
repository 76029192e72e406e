#include "repo/stream/page_checksum.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace howdah::repo {
namespace {

constexpr std::size_t lanes = 32;
constexpr std::uint32_t prime = 16777619;
constexpr std::array<std::uint32_t, lanes> seeds{
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

using Row = std::array<std::uint32_t, lanes>;

// Places in the page's header (PostgreSQL docs 73.6 "Database Page Layout").
constexpr std::size_t checksum_at = 8;
constexpr std::size_t upper_at = 14;

// Lanes don't depend on each other: compilers turn this loop into vector instructions.
void mix(Row& sums, const Row& values) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::uint32_t folded = sums[lane] ^ values[lane];
        sums[lane] = folded * prime ^ (folded >> 17);
    }
}

// Pages are in the byte order of the machine that wrote them, which is where they are backed up.
template <class T>
T read_at(Bytes page, std::size_t at) {
    T value;
    std::memcpy(&value, page.data() + at, sizeof value);
    return value;
}

pg::Lsn lsn_of(Bytes page) {
    const std::uint64_t high = read_at<std::uint32_t>(page, 0);
    return pg::Lsn(high << 32 | read_at<std::uint32_t>(page, 4));
}

}  // namespace

std::uint16_t page_checksum(Bytes page, std::uint32_t block) {
    Row sums = seeds;
    for (std::size_t at = 0; at < page_size; at += sizeof(Row)) {
        Row values;
        std::memcpy(values.data(), page.data() + at, sizeof values);
        if (at == 0) {  // the checksum itself counts as zero
            values[checksum_at / 4] &= 0xFFFF0000U;
        }
        mix(sums, values);
    }
    mix(sums, Row{});
    mix(sums, Row{});
    std::uint32_t sum = block;
    for (const auto lane : sums) {
        sum ^= lane;
    }
    return static_cast<std::uint16_t>(sum % 65535 + 1);
}

PageState check_page(Bytes page, std::uint32_t block, std::optional<pg::Lsn> young_from) {
    const bool is_new = read_at<std::uint16_t>(page, upper_at) == 0;
    if (is_new && std::ranges::all_of(page, [](std::byte byte) { return byte == std::byte{}; })) {
        return PageState::good;
    }
    if (!is_new && read_at<std::uint16_t>(page, checksum_at) == page_checksum(page, block)) {
        return PageState::good;
    }
    return young_from && lsn_of(page) >= *young_from ? PageState::young : PageState::bad;
}

void PageTap::check(Bytes page) {
    const auto block = block_++;
    if (check_page(page, block, young_from_) != PageState::bad) {
        return;
    }
    if (!bad_.empty() && bad_.back().second + 1 == block) {
        bad_.back().second = block;
    } else {
        bad_.emplace_back(block, block);
    }
}

void PageTap::see(Bytes bytes) {
    if (!partial_.empty()) {
        const auto missing = bytes.first(std::min(bytes.size(), page_size - partial_.size()));
        partial_.insert(partial_.end(), missing.begin(), missing.end());
        bytes = bytes.subspan(missing.size());
        if (partial_.size() < page_size) {
            return;
        }
        check(partial_);
        partial_.clear();
    }
    for (; bytes.size() >= page_size; bytes = bytes.subspan(page_size)) {
        check(bytes.first(page_size));
    }
    partial_.assign(bytes.begin(), bytes.end());
}

std::uint32_t segment_of_file(std::string_view file_name) {
    const auto dot = file_name.rfind('.');
    if (dot == std::string_view::npos) {
        return 0;
    }
    std::uint32_t segment = 0;
    const char* const end = file_name.data() + file_name.size();
    const auto [stop, error] = std::from_chars(file_name.data() + dot + 1, end, segment);
    return error == std::errc() && stop == end ? segment : 0;
}

}  // namespace howdah::repo
