#include "backup/size_text.h"

#include <fmt/format.h>

#include <array>

namespace howdah::backup {

std::string size_text(std::uint64_t bytes) {
    static constexpr std::array units{"B", "KB", "MB", "GB", "TB", "PB"};
    auto size = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; size >= 1024 && unit + 1 < units.size(); ++unit) {
        size /= 1024;
    }
    auto text = fmt::format("{:.1f}", size);
    text = text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
    return text + units[unit];
}

}  // namespace howdah::backup
