#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace howdah {

/// Seconds since 1970 of an ISO 8601 time.
struct ParsedTime {
    std::int64_t seconds = 0;
    bool has_zone = false;
};
/// "2030-01-01T00:00:00+02:00"; a fraction of a second is read past. nullopt: something else.
std::optional<ParsedTime> parse_iso8601(const std::string& text);

}  // namespace howdah
