#include "config/yaml_scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>
#include <string_view>

namespace howdah::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view core = "tag:yaml.org,2002:";
constexpr auto quote_it = "write it in quotes if it is meant as text";

// The patterns of PyYAML's resolver (yaml/resolver.py, 6.0).
bool is_bool(const std::string& text) {
    static const std::set<std::string> all{"yes",  "Yes",  "YES",  "no",    "No",    "NO",
                                           "true", "True", "TRUE", "false", "False", "FALSE",
                                           "on",   "On",   "ON",   "off",   "Off",   "OFF"};
    return all.contains(text);
}
bool is_null(const std::string& text) {
    return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}
bool is_float(const std::string& text) {
    static const std::regex pattern(R"([-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?)"
                                    R"(|\.[0-9][0-9_]*([eE][-+][0-9]+)?)"
                                    R"(|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*)"
                                    R"(|[-+]?\.(inf|Inf|INF))"
                                    R"(|\.(nan|NaN|NAN))");
    return std::regex_match(text, pattern);
}
bool is_int(const std::string& text) {
    static const std::regex pattern(R"([-+]?0b[01_]+)"
                                    R"(|[-+]?0[0-7_]+)"
                                    R"(|[-+]?(0|[1-9][0-9_]*))"
                                    R"(|[-+]?0x[0-9a-fA-F_]+)"
                                    R"(|[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+)");
    return std::regex_match(text, pattern);
}
bool is_timestamp(const std::string& text) {
    static const std::regex pattern(
        R"([0-9]{4}-[0-9]{2}-[0-9]{2})"
        R"(|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?)"
        R"(([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?)");
    return std::regex_match(text, pattern);
}

/// Beyond this no scalar is a number or a date (std::regex recurses once a character).
constexpr std::size_t longest_number = 200;
bool looks_numeric(const std::string& text) {
    return text.size() <= longest_number && !text.empty() &&
           std::string_view("-+.0123456789").find(text.front()) != std::string_view::npos;
}

std::unexpected<Error> refuse(const std::string& text, const std::string& why,
                              const std::string& hint = quote_it) {
    return std::unexpected(
        Error{.code = Errc::invalid, .message = fmt::format("{} {}", text, why), .hint = hint});
}

/// Without the sign and the underscores that may separate digits; `negative` tells the sign.
std::string bare_digits(std::string text, bool& negative) {
    std::erase(text, '_');
    negative = text.starts_with('-');
    if (negative || text.starts_with('+')) {
        text.erase(0, 1);
    }
    return text;
}

std::vector<std::string> split_at_colons(const std::string& text) {
    std::vector<std::string> out{""};
    for (const auto c : text) {
        if (c == ':') {
            out.emplace_back();
        } else {
            out.back() += c;
        }
    }
    return out;
}

/// nullopt: no digits, or beyond 64 bits.
std::optional<std::int64_t> whole(std::string_view digits, int base, bool negative) {
    const auto signed_text = (negative ? "-" : "") + std::string(digits);
    std::int64_t value = 0;
    const auto* end = signed_text.data() + signed_text.size();
    const auto [at, error] = std::from_chars(signed_text.data(), end, value, base);
    return error == std::errc{} && at == end && !digits.empty() ? std::optional(value)
                                                                : std::nullopt;
}

std::optional<std::int64_t> sexagesimal(const std::string& text, bool negative) {
    std::int64_t sum = 0;
    for (const auto& part : split_at_colons(text)) {
        const auto digit = whole(part, 10, false);
        if (!digit || __builtin_mul_overflow(sum, 60, &sum) ||
            __builtin_add_overflow(sum, *digit, &sum)) {
            return std::nullopt;
        }
    }
    return negative ? -sum : sum;
}

Result<Json> read_int(const std::string& text) {
    bool negative = false;
    const auto digits = bare_digits(text, negative);
    std::optional<std::int64_t> value;
    if (digits.starts_with("0b")) {
        value = whole(digits.substr(2), 2, negative);
    } else if (digits.starts_with("0x")) {
        value = whole(digits.substr(2), 16, negative);
    } else if (digits.starts_with('0')) {
        value = whole(digits, 8, negative);
    } else if (digits.find(':') != std::string::npos) {
        value = sexagesimal(digits, negative);
    } else {
        value = whole(digits, 10, negative);
    }
    if (!value) {
        return refuse(text, "is no whole number of at most 64 bits");
    }
    return Json(*value);
}

std::optional<double> decimal(const std::string& text) {
    double value = 0;
    const auto* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && at == end && !text.empty() ? std::optional(value) : std::nullopt;
}

Result<Json> read_float(const std::string& text) {
    bool negative = false;
    auto digits = bare_digits(text, negative);
    std::transform(digits.begin(), digits.end(), digits.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    double value = 0;
    double base = 1;
    auto parts = split_at_colons(digits);
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {  // PyYAML's order of adding
        const auto digit = decimal(*part);
        if (!digit || !std::isfinite(*digit)) {
            return refuse(text, "is no number that can be written to the store");
        }
        value += *digit * base;
        base *= 60;
    }
    return Json(negative ? -value : value);
}

Result<Json> read_bool(const std::string& text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (lower == "yes" || lower == "true" || lower == "on") {
        return Json(true);
    }
    if (lower == "no" || lower == "false" || lower == "off") {
        return Json(false);
    }
    return refuse(text, "is neither true nor false", "write true or false");
}

/// repr() of Python: the fewest digits that give the number back, an exponent from 1e16 on and
/// below 1e-4.
std::string python_float(double value) {
    char buffer[64];
    const auto [end, error] =
        std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
    std::string text(buffer, end);
    const auto e = text.find('e');
    const auto exponent = std::stoi(text.substr(e + 1));
    if (exponent < -4 || exponent >= 16) {
        return text;  // both write at least two digits of the exponent, with its sign
    }
    char fixed[512];
    const auto done = std::to_chars(fixed, fixed + sizeof fixed, value, std::chars_format::fixed);
    std::string plain(fixed, done.ptr);
    return plain.find('.') == std::string::npos ? plain + ".0" : plain;
}

}  // namespace

Result<Json> read_plain_scalar(const std::string& text) {
    if (is_null(text)) {
        return Json();
    }
    if (is_bool(text)) {
        return read_bool(text);
    }
    if (text == "<<" || text == "=") {
        return refuse(text, "stands alone here");
    }
    if (!looks_numeric(text)) {
        return Json(text);
    }
    if (text.find('.') != std::string::npos && is_float(text)) {
        return read_float(text);
    }
    if (text.find('.') == std::string::npos && is_int(text)) {
        return read_int(text);
    }
    if (text.size() > 4 && text[4] == '-' && is_timestamp(text)) {
        return refuse(text, "is a date for YAML, which no setting takes");
    }
    return Json(text);
}

Result<Json> read_tagged_scalar(const std::string& tag, const std::string& text) {
    const auto kind = tag.starts_with(core) ? tag.substr(core.size()) : std::string();
    if (kind == "str") {
        return Json(text);
    }
    if (kind == "null") {
        return Json();
    }
    if (kind == "bool") {
        return read_bool(text);
    }
    if (kind == "int" && text.size() <= longest_number && is_int(text)) {
        return read_int(text);
    }
    if (kind == "float" && text.size() <= longest_number && is_float(text)) {
        return read_float(text);
    }
    if (kind == "int" || kind == "float") {
        return refuse(text, "is no number, as its tag says", "remove the tag");
    }
    return refuse(kind.empty() ? tag : "!!" + kind, "is a tag that no setting takes",
                  "write a value that begins with ! in quotes");
}

std::string python_text(const Json& scalar) {
    if (scalar.is_string()) {
        return scalar.get<std::string>();
    }
    if (scalar.is_boolean()) {
        return scalar.get<bool>() ? "True" : "False";
    }
    if (scalar.is_null()) {
        return "None";
    }
    return scalar.is_number_float() ? python_float(scalar.get<double>()) : scalar.dump();
}

std::string python_key(const Json& scalar) {
    return scalar.is_boolean() || scalar.is_null() ? scalar.dump() : python_text(scalar);
}

}  // namespace howdah::config
