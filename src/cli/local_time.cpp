#include "cli/local_time.h"

#include <fmt/format.h>

#include <ctime>

#include "base/timestamp.h"

namespace howdah::cli {

std::string local_time(int digits) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    ::localtime_r(&now.tv_sec, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    const auto micros = fmt::format("{:06}", now.tv_nsec / 1000);
    return digits == 0 ? std::string(text) : text + ("." + micros.substr(0, std::size_t(digits)));
}

Result<std::string> scheduled_time(const std::string& text) {
    if (text.empty() || text == "now") {
        return std::string();
    }
    const auto when = parse_iso8601(text);
    const auto zone_at = when && when->has_zone ? text.find_first_of("Zz+-", 11) : text.size();
    const auto wall = parse_iso8601(text.substr(0, zone_at));
    if (!when || !wall) {
        return fail(Errc::invalid,
                    fmt::format("Unable to parse scheduled timestamp ({}). It should be in an "
                                "unambiguous format (e.g. ISO 8601)",
                                text));
    }
    const std::time_t shown = wall->seconds;
    tm parts{};
    ::gmtime_r(&shown, &parts);
    auto offset = wall->seconds - when->seconds;
    if (!when->has_zone) {
        tm local = parts;
        local.tm_isdst = -1;
        ::mktime(&local);
        offset = local.tm_gmtoff;
    }
    char date[32];
    std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    const auto minutes = std::abs(offset) / 60;
    return fmt::format("{}{}{:02}:{:02}", date, offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

}  // namespace howdah::cli
