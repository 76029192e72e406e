#include "pg/lsn.h"

#include <fmt/format.h>

#include <charconv>

namespace howdah::pg {
namespace {

bool parse_hex(std::string_view text, std::uint32_t& value) {
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
    return !text.empty() && text.size() <= 8 && error == std::errc{} && stop == end;
}

}  // namespace

Result<Lsn> Lsn::parse(std::string_view text) {
    const auto slash = text.find('/');
    std::uint32_t high = 0;
    std::uint32_t low = 0;
    if (slash == std::string_view::npos || !parse_hex(text.substr(0, slash), high) ||
        !parse_hex(text.substr(slash + 1), low)) {
        return fail(Errc::invalid, fmt::format("not an LSN: \"{}\"", text));
    }
    return Lsn((std::uint64_t{high} << 32) | low);
}

std::string Lsn::text() const {
    return fmt::format("{:X}/{:X}", bytes_ >> 32, bytes_ & 0xFFFFFFFFU);
}

}  // namespace howdah::pg
