#include "base/timestamp.h"

#include <chrono>
#include <cstdio>

namespace howdah {

std::optional<ParsedTime> parse_iso8601(const std::string& text) {
    int y = 0;
    unsigned mo = 0, d = 0;
    int h = 0, mi = 0, s = 0, used = 0;
    char gap = 0;
    if (std::sscanf(text.c_str(), "%4d-%2u-%2u%c%2d:%2d%n", &y, &mo, &d, &gap, &h, &mi, &used) !=
            6 ||
        (gap != 'T' && gap != ' ')) {
        return std::nullopt;
    }
    std::string rest = text.substr(std::size_t(used));
    if (int more = 0; std::sscanf(rest.c_str(), ":%2d%n", &s, &more) == 1) {
        rest = rest.substr(std::size_t(more));
    }
    if (rest.starts_with('.')) {
        const auto end = rest.find_first_not_of("0123456789", 1);
        rest = end == std::string::npos ? "" : rest.substr(end);
    }
    const std::chrono::year_month_day date{std::chrono::year(y), std::chrono::month(mo),
                                           std::chrono::day(d)};
    if (!date.ok() || h > 23 || mi > 59 || s > 60) {
        return std::nullopt;
    }
    ParsedTime out{.seconds = std::chrono::sys_days(date).time_since_epoch().count() * 86400LL +
                              h * 3600 + mi * 60 + s,
                   .has_zone = !rest.empty()};
    int zone_h = 0, zone_m = 0;
    char sign = 0;
    if (rest.empty() || rest == "Z" || rest == "z") {
        return out;
    }
    if (std::sscanf(rest.c_str(), "%c%2d:%2d", &sign, &zone_h, &zone_m) < 3 &&
        std::sscanf(rest.c_str(), "%c%2d%2d", &sign, &zone_h, &zone_m) < 2) {
        return std::nullopt;
    }
    if (sign != '+' && sign != '-') {
        return std::nullopt;
    }
    out.seconds -= (sign == '+' ? 1 : -1) * (zone_h * 3600 + zone_m * 60);
    return out;
}

}  // namespace howdah
