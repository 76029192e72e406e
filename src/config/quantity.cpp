#include "config/quantity.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

namespace howdah::config {
namespace {

struct Named {
    std::string_view name;
    double size;  ///< in bytes, in seconds
};
constexpr std::array memory_units{Named{"B", 1}, Named{"kB", 1024}, Named{"MB", 1048576},
                                  Named{"GB", 1073741824}, Named{"TB", 1099511627776}};
constexpr std::array time_units{Named{"us", 1e-6}, Named{"ms", 1e-3}, Named{"s", 1},
                                Named{"min", 60},  Named{"h", 3600},  Named{"d", 86400}};

std::optional<double> unit_size(std::string_view name, Unit unit) {
    if (unit == Unit::none) {
        return std::nullopt;
    }
    const auto in = [name](const auto& units) -> std::optional<double> {
        const auto it = std::ranges::find(units, name, &Named::name);
        return it == units.end() ? std::nullopt : std::optional(it->size);
    };
    return unit == Unit::seconds ? in(time_units) : in(memory_units);
}

struct Number {
    double value = 0;
    std::string_view rest{};
};

std::optional<Number> number_in(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) {
        text.remove_prefix(1);
    }
    if (text.empty() ||
        (std::isdigit(static_cast<unsigned char>(text[0])) == 0 && text[0] != '.')) {
        return std::nullopt;
    }
    const auto* const end = text.data() + text.size();
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const auto digits = text.find_first_not_of("0123456789");
    const bool plain =
        digits == std::string_view::npos || (text[digits] != '.' && text[digits] != 'e');
    if (hex || (plain && text.size() > 1 && text[0] == '0')) {
        std::int64_t whole = 0;
        const auto* const first = text.data() + (hex ? 2 : 1);
        const auto [stop, error] = std::from_chars(first, end, whole, hex ? 16 : 8);
        if (error != std::errc{}) {
            return Number{.value = 0, .rest = text.substr(1)};
        }
        return Number{.value = static_cast<double>(negative ? -whole : whole),
                      .rest = {stop, static_cast<std::size_t>(end - stop)}};
    }
    double value = 0;
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    return Number{.value = negative ? -value : value,
                  .rest = {stop, static_cast<std::size_t>(end - stop)}};
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && text.back() == ' ') {
        text.remove_suffix(1);
    }
    return text;
}

}  // namespace

std::optional<std::int64_t> parse_quantity(std::string text, Unit unit) {
    const auto number = number_in(trimmed(text));
    if (!number) {
        return std::nullopt;
    }
    auto value = number->value;
    if (const auto name = trimmed(number->rest); !name.empty()) {
        const auto size = unit_size(name, unit);
        if (!size) {
            return std::nullopt;
        }
        value *= *size / (unit == Unit::megabytes ? 1048576 : 1);
    }
    constexpr double most = 9.2e18;
    if (!std::isfinite(value) || std::abs(value) > most) {
        return std::nullopt;
    }
    return std::llrint(value);
}

std::optional<bool> parse_truth(const std::string& text) {
    const auto word = lower_case(text);
    if (word == "on" || word == "true" || word == "yes" || word == "1") {
        return true;
    }
    if (word == "off" || word == "false" || word == "no" || word == "0") {
        return false;
    }
    return std::nullopt;
}

std::string setting_text(const nlohmann::ordered_json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    if (value.is_boolean()) {
        return value.get<bool>() ? "on" : "off";
    }
    return value.is_null() ? std::string() : value.dump();
}

std::string lower_case(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

}  // namespace howdah::config
