#include "cli/local_time.h"

#include <fmt/format.h>

#include <ctime>

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

}  // namespace howdah::cli
