#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace howdah::pg {

/// Log sequence number: a byte position in the WAL. Only LSNs on one timeline compare.
/// Text form "16/B374D848": high and low 32 bits in hexadecimal. Source: PostgreSQL docs, pg_lsn
/// type.
class Lsn {
public:
    constexpr Lsn() = default;
    constexpr explicit Lsn(std::uint64_t bytes) : bytes_(bytes) {}

    /// Errors: Errc::invalid when `text` is not two hexadecimal numbers joined by '/'.
    static Result<Lsn> parse(std::string_view text);

    constexpr std::uint64_t bytes() const { return bytes_; }
    std::string text() const;
    constexpr auto operator<=>(const Lsn&) const = default;

private:
    std::uint64_t bytes_ = 0;
};

/// A timeline of the WAL; the first is 1, and 0 stands for "unknown".
using Timeline = std::uint32_t;

}  // namespace howdah::pg
