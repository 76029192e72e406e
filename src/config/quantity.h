#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace howdah::config {

enum class Unit : std::uint8_t { none, bytes, megabytes, seconds };

/// A number as Patroni reads it (patroni-compatibility.md 1.13): decimal, octal (0...), hex
/// (0x...), fractions and exponents (rounded), and PostgreSQL's units of the kind of `unit`. The
/// answer counts `unit`s.
std::optional<std::int64_t> parse_quantity(std::string text, Unit unit);

/// on/off, true/false, yes/no, 1/0 in any case.
std::optional<bool> parse_truth(const std::string& text);

/// A scalar as postgresql.conf takes it: true is "on", null is empty.
std::string setting_text(const nlohmann::ordered_json& value);

std::string lower_case(std::string text);

}  // namespace howdah::config
