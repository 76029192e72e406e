#include "pg/slot_name.h"

#include <fmt/format.h>

#include <cctype>

namespace howdah::pg {

std::string slot_name(const std::string& member) {
    std::string name;
    for (const char c : member) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 && byte < 128) {
            name += static_cast<char>(std::tolower(byte));
        } else if (c == '-' || c == '.' || c == '_') {
            name += '_';
        } else {
            name += fmt::format("u{:04}", byte);
        }
    }
    return name.substr(0, 63);
}

}  // namespace howdah::pg
