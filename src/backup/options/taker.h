#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backup/options/given_options.h"
#include "base/instant.h"

namespace howdah::backup {

/// Takes typed values out, of those options that the command acts on; the first wrong one is kept
/// as the error.
class Taker {
public:
    Taker(const Values& values, const std::string& command) : values_(values), command_(command) {}

    bool has(const std::string& key) const { return find(key) != nullptr; }
    void text(const std::string& key, std::string& into) {
        if (const auto* given = find(key)) {
            into = given->value;
        }
    }
    void flag(const std::string& key, bool& into) {
        const auto* given = find(key);
        if (given == nullptr) {
            return;
        }
        if (given->value != "y" && given->value != "n") {
            return wrong(key, *given, "y or n");
        }
        into = given->value == "y";
    }
    std::vector<std::string> list(const std::string& key) {
        const auto* given = find(key);
        std::vector<std::string> all;
        if (given != nullptr) {
            all = given->more;
            all.insert(all.begin(), given->value);
        }
        return all;
    }
    /// Items of the form NAME=VALUE.
    void map(const std::string& key, std::map<std::string, std::string>& into) {
        for (const auto& item : list(key)) {
            const auto equals = item.find('=');
            if (equals == std::string::npos || equals == 0) {
                return wrong(key, {.value = item, .where = find(key)->where}, "NAME=VALUE");
            }
            into.insert_or_assign(item.substr(0, equals), item.substr(equals + 1));
        }
    }
    template <class Number>
    void number(const std::string& key, Number lowest, Number highest, Number& into) {
        const auto* given = find(key);
        if (given == nullptr) {
            return;
        }
        Number value{};
        const auto* end = given->value.data() + given->value.size();
        const auto [stop, error] = std::from_chars(given->value.data(), end, value);
        if (error != std::errc() || stop != end || value < lowest || value > highest) {
            return wrong(key, *given, fmt::format("a number from {} to {}", lowest, highest));
        }
        into = value;
    }
    /// "2MiB", "2MB", "2097152".
    void size(const std::string& key, std::uint64_t& into) {
        with_unit(key,
                  {{"", 1},
                   {"B", 1},
                   {"K", 1ULL << 10},
                   {"M", 1ULL << 20},
                   {"G", 1ULL << 30},
                   {"T", 1ULL << 40},
                   {"P", 1ULL << 50}},
                  into, "a size as 2MiB");
    }
    /// "90s", "1m", "60": seconds without a unit.
    void time(const std::string& key, Millis& into) {
        auto milliseconds = static_cast<std::uint64_t>(into.count());
        with_unit(key,
                  {{"MS", 1},
                   {"", 1000},
                   {"S", 1000},
                   {"M", 60'000},
                   {"H", 3'600'000},
                   {"D", 86'400'000},
                   {"W", 604'800'000}},
                  milliseconds, "a time as 90s or 1m");
        constexpr std::uint64_t least = 100, most = std::uint64_t{7} * 86'400'000;
        if (has(key) && !error_ && (milliseconds < least || milliseconds > most)) {
            return wrong(key, *find(key), "a time from 0.1s to 7d");
        }
        into = Millis(milliseconds);
    }
    void one_of(const std::string& key, const std::vector<std::string>& words, std::string& into) {
        const auto* given = find(key);
        if (given == nullptr) {
            return;
        }
        if (std::ranges::find(words, given->value) == words.end()) {
            std::string all;
            for (const auto& word : words) {
                all += (all.empty() ? "" : ", ") + word;
            }
            return wrong(key, *given, all);
        }
        into = given->value;
    }
    void absolute(const std::string& key, std::string& into) {
        const auto* given = find(key);
        if (given == nullptr) {
            return;
        }
        if (!given->value.starts_with('/')) {
            return wrong(key, *given, "an absolute path");
        }
        into = given->value;
    }
    void wrong(const std::string& key, const Given& given, const std::string& allowed) {
        if (!error_) {
            error_ = Error{.code = Errc::invalid,
                           .message = fmt::format("{}: '{}' is no value of option '{}'",
                                                  given.where, given.value, key),
                           .hint = "allowed: " + allowed};
        }
    }
    const std::optional<Error>& error() const { return error_; }
    const Values& values() const { return values_; }

private:
    void with_unit(const std::string& key, const std::map<std::string, std::uint64_t>& units,
                   std::uint64_t& into, const std::string& allowed) {
        const auto* given = find(key);
        if (given == nullptr) {
            return;
        }
        std::uint64_t value = 0;
        const auto* end = given->value.data() + given->value.size();
        const auto [stop, error] = std::from_chars(given->value.data(), end, value);
        std::string unit(stop, end);
        std::ranges::transform(unit, unit.begin(), [](char c) {
            return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        });
        for (const std::string_view ending : {"IB", "B"}) {
            if (unit.size() > ending.size() && unit.ends_with(ending)) {
                unit.resize(unit.size() - ending.size());
            }
        }
        const auto known = units.find(unit);
        if (error != std::errc() || known == units.end() || value > (1ULL << 62) / known->second) {
            return wrong(key, *given, allowed);
        }
        into = value * known->second;
    }
    const Given* find(const std::string& key) const {
        const auto found = values_.find(key);
        const auto is_used = found != values_.end() &&
                             use_of(*find_option(key)->facts, command_) == OptionUse::honoured;
        return is_used ? &found->second : nullptr;
    }

    const Values& values_;
    const std::string& command_;
    std::optional<Error> error_{};
};

}  // namespace howdah::backup
