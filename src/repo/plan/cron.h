#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace howdah::repo {

/// A minute as a wall clock shows it; which zone's, the caller knows.
struct WallMinute {
    int year = 1970, month = 1, day = 1, hour = 0, minute = 0;

    auto operator<=>(const WallMinute&) const = default;
};

/// Times in cron's syntax: minute, hour, day of the month, month, day of the week; `*`, numbers,
/// lists, ranges, steps, names of months and days, Sunday as 0 or 7; or one of @hourly, @daily,
/// @weekly, @monthly, @yearly. Where both days are given, one of them suffices. Source: crontab(5).
class Cron {
public:
    /// Errors: Errc::invalid, naming the field and what it may be.
    static Result<Cron> parse(std::string_view text);

    bool matches(const WallMinute& when) const;
    /// The last such minute that is not after `when`; nullopt: none in the eight years before it,
    /// as of a 30th of February.
    std::optional<WallMinute> last(const WallMinute& when) const;
    /// The first such minute after `when`; nullopt: none in the eight years that follow.
    std::optional<WallMinute> next(const WallMinute& when) const;

private:
    bool matches_day(const WallMinute& when) const;

    std::uint64_t minutes_ = 0;
    std::uint32_t hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;
    bool any_day_ = true, any_weekday_ = true;
};

}  // namespace howdah::repo
