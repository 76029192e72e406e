#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pg/lsn.h"

namespace howdah::pg {

/// One file of the WAL, by name: 24 upper-case hexadecimal digits of timeline, log (high 32 bits of
/// the LSN) and segment in the log. Source: PostgreSQL docs, 30.6 "WAL Internals".
struct WalSegment {
    Timeline timeline = 0;
    std::uint32_t log = 0;
    std::uint32_t segment = 0;

    static constexpr std::uint64_t default_size = 16U << 20;

    /// Errors: Errc::invalid unless `name` is 24 upper-case hexadecimal digits.
    static Result<WalSegment> parse(std::string_view name);
    /// The segment that holds `lsn`. `size_bytes` is a power of two from 1 MiB to 1 GiB.
    static WalSegment at(Timeline timeline, Lsn lsn, std::uint64_t size_bytes = default_size);

    std::string name() const;
    /// The next one on the same timeline.
    WalSegment next(std::uint64_t size_bytes = default_size) const;
    /// Where it begins.
    Lsn start(std::uint64_t size_bytes = default_size) const;
    auto operator<=>(const WalSegment&) const = default;
};

/// "00000002.history". Errors: Errc::invalid.
Result<Timeline> parse_history_name(std::string_view name);
std::string history_name(Timeline timeline);

}  // namespace howdah::pg
