#include "pg/wal_segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace howdah::pg {
namespace {

bool is_hex(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); });
}

std::uint32_t hex_value(std::string_view digits) {
    std::uint32_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return value;
}

constexpr std::uint64_t log_size = std::uint64_t{1} << 32;

}  // namespace

Result<WalSegment> WalSegment::parse(std::string_view name) {
    if (name.size() != 24 || !is_hex(name)) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no name of a WAL segment", name));
    }
    return WalSegment{.timeline = hex_value(name.substr(0, 8)),
                      .log = hex_value(name.substr(8, 8)),
                      .segment = hex_value(name.substr(16, 8))};
}

WalSegment WalSegment::at(Timeline timeline, Lsn lsn, std::uint64_t size_bytes) {
    return WalSegment{.timeline = timeline,
                      .log = static_cast<std::uint32_t>(lsn.bytes() / log_size),
                      .segment = static_cast<std::uint32_t>(lsn.bytes() % log_size / size_bytes)};
}

std::string WalSegment::name() const {
    return fmt::format("{:08X}{:08X}{:08X}", timeline, log, segment);
}

WalSegment WalSegment::next(std::uint64_t size_bytes) const {
    WalSegment after = *this;
    if (++after.segment >= log_size / size_bytes) {
        after.segment = 0;
        ++after.log;
    }
    return after;
}

Lsn WalSegment::start(std::uint64_t size_bytes) const {
    return Lsn(log * log_size + segment * size_bytes);
}

Result<Timeline> parse_history_name(std::string_view name) {
    constexpr std::string_view suffix = ".history";
    if (name.size() != 8 + suffix.size() || !name.ends_with(suffix) || !is_hex(name.substr(0, 8))) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no name of a timeline history", name));
    }
    return hex_value(name.substr(0, 8));
}

std::string history_name(Timeline timeline) {
    return fmt::format("{:08X}.history", timeline);
}

}  // namespace howdah::pg
