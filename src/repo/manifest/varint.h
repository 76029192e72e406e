#pragma once

#include <cstdint>

#include "base/bytes.h"

/// Numbers of 7 bits a byte, low ones first, the high bit saying that more follow.
namespace howdah::repo {

inline void append_varint(ByteBuffer& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
        out.push_back(static_cast<std::byte>(value | 0x80));
    }
    out.push_back(static_cast<std::byte>(value));
}

/// Of bytes that append_varint wrote in this process: the end is not looked for.
inline std::uint64_t take_varint(const std::byte*& at) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        const auto byte = std::to_integer<std::uint64_t>(*at++);
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
}

/// 0, -1, 1, -2 ... as 0, 1, 2, 3 ...
constexpr std::uint64_t zigzag(std::int64_t value) {
    return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

}  // namespace howdah::repo
