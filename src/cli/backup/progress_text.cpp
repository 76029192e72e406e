#include "cli/backup/progress_text.h"

#include <fmt/format.h>

#include "backup/size_text.h"

namespace howdah::cli {
namespace {

constexpr std::uint64_t bar_width = 20;
constexpr Millis too_early{500};

std::string time_left(std::uint64_t seconds) {
    return seconds >= 3600
               ? fmt::format("{}:{:02}:{:02} left", seconds / 3600, seconds / 60 % 60, seconds % 60)
               : fmt::format("{}:{:02} left", seconds / 60, seconds % 60);
}

}  // namespace

std::string progress_text(const backup::Progress& progress, Millis since) {
    const auto [what, done, total, in_bytes] = progress;
    const auto part = total == 0 ? 100 : done * 100 / total;
    const auto full = part * bar_width / 100;
    const auto amount = [&](std::uint64_t value) {
        return in_bytes ? backup::size_text(value) : std::to_string(value);
    };
    auto text =
        fmt::format("{} [{:#>{}}{:{}}] {:3} %, {} of {}{}", what, "", full, "", bar_width - full,
                    part, amount(done), amount(total), in_bytes ? "" : " files");
    const auto rate =
        since < too_early ? 0 : done * 1000 / static_cast<std::uint64_t>(since.count());
    if (rate > 0 && done < total) {
        text += fmt::format(", {}/s, {}", amount(rate), time_left((total - done) / rate));
    }
    return text;
}

}  // namespace howdah::cli
