#include "repo/plan/cron.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string>
#include <vector>

namespace howdah::repo {
namespace {

namespace chr = std::chrono;

constexpr int days_to_look = 8 * 366;

struct Field {
    std::string_view what{};
    int least = 0, most = 0;
    std::vector<std::string_view> names{};  ///< of `least` and what follows
};

const std::array<Field, 5>& fields() {
    static const std::array<Field, 5> all{
        {{"minute", 0, 59, {}},
         {"hour", 0, 23, {}},
         {"day of the month", 1, 31, {}},
         {"month",
          1,
          12,
          {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
         {"day of the week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}}};
    return all;
}

std::vector<std::string_view> split(std::string_view text, char by) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto end = text.find(by);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

std::vector<std::string_view> words_of(std::string_view text) {
    auto words = split(text, ' ');
    std::erase(words, std::string_view());
    return words;
}

std::optional<int> number_in(const Field& field, std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    const auto name = std::ranges::find(field.names, std::string_view(lower));
    if (name != field.names.end()) {
        return field.least + static_cast<int>(name - field.names.begin());
    }
    int number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool good = error == std::errc() && stop == text.data() + text.size() &&
                      number >= field.least && number <= field.most;
    return good ? std::optional(number) : std::nullopt;
}

std::unexpected<Error> wrong(const Field& field, std::string_view part) {
    return fail(
        Errc::invalid, fmt::format("'{}' is no {}", part, field.what),
        fmt::format("*, or numbers from {} to {}: 5  1,2  1-5  */10", field.least, field.most));
}

/// One bit a number.
Result<std::uint64_t> part_of(const Field& field, std::string_view part) {
    const auto pieces = split(part, '/');
    int first = field.least, last = field.most, step = 1;
    if (pieces.size() == 2) {
        const auto given =
            number_in({.what = field.what, .least = 1, .most = field.most}, pieces[1]);
        if (!given) {
            return wrong(field, part);
        }
        step = *given;
    } else if (pieces.size() > 2) {
        return wrong(field, part);
    }
    if (pieces[0] != "*") {
        const auto ends = split(pieces[0], '-');
        const auto from = number_in(field, ends.front()), to = number_in(field, ends.back());
        if (!from || !to || ends.size() > 2 || *to < *from) {
            return wrong(field, part);
        }
        first = *from;
        last = ends.size() == 1 && pieces.size() == 2 ? field.most : *to;
    }
    std::uint64_t bits = 0;
    for (int each = first; each <= last; each += step) {
        bits |= std::uint64_t{1} << each;
    }
    return bits;
}

Result<std::uint64_t> bits_of(const Field& field, std::string_view text) {
    std::uint64_t all = 0;
    for (const auto part : split(text, ',')) {
        HD_TRY(const auto bits, part_of(field, part));
        all |= bits;
    }
    return all;
}

std::string_view spelled_out(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 7> words{
        {{"@hourly", "0 * * * *"},
         {"@daily", "0 0 * * *"},
         {"@midnight", "0 0 * * *"},
         {"@weekly", "0 0 * * 0"},
         {"@monthly", "0 0 1 * *"},
         {"@yearly", "0 0 1 1 *"},
         {"@annually", "0 0 1 1 *"}}};
    const auto found = std::ranges::find(words, text, [](const auto& each) { return each.first; });
    return found == words.end() ? text : found->second;
}

chr::sys_days day_of(const WallMinute& when) {
    return chr::sys_days(chr::year(when.year) / when.month / when.day);
}

WallMinute at(chr::sys_days day, int hour, int minute) {
    const chr::year_month_day date(day);
    return {.year = static_cast<int>(date.year()),
            .month = static_cast<int>(static_cast<unsigned>(date.month())),
            .day = static_cast<int>(static_cast<unsigned>(date.day())),
            .hour = hour,
            .minute = minute};
}

bool has(std::uint64_t bits, int at) {
    return (bits >> at & 1) != 0;
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
    const auto words = words_of(spelled_out(text));
    if (words.size() != fields().size()) {
        return fail(Errc::invalid, fmt::format("'{}' is no time in cron's syntax", text),
                    "five fields: minute, hour, day of the month, month, day of the week; "
                    "\"30 1 * * 0\" is Sundays at 01:30");
    }
    std::array<std::uint64_t, 5> bits{};
    for (std::size_t i = 0; i < words.size(); ++i) {
        HD_TRY(bits[i], bits_of(fields()[i], words[i]));
    }
    Cron cron;
    cron.minutes_ = bits[0];
    cron.hours_ = static_cast<std::uint32_t>(bits[1]);
    cron.days_ = static_cast<std::uint32_t>(bits[2]);
    cron.months_ = static_cast<std::uint32_t>(bits[3]);
    cron.weekdays_ = static_cast<std::uint32_t>(bits[4]);
    cron.weekdays_ |= cron.weekdays_ >> 7 & 1;
    cron.any_day_ = words[2].starts_with('*');
    cron.any_weekday_ = words[4].starts_with('*');
    return cron;
}

bool Cron::matches_day(const WallMinute& when) const {
    if (!has(months_, when.month)) {
        return false;
    }
    const auto weekday = static_cast<int>(chr::weekday(day_of(when)).c_encoding());
    const bool by_day = has(days_, when.day), by_weekday = has(weekdays_, weekday);
    return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

bool Cron::matches(const WallMinute& when) const {
    return has(minutes_, when.minute) && has(hours_, when.hour) && matches_day(when);
}

std::optional<WallMinute> Cron::last(const WallMinute& when) const {
    auto day = day_of(when);
    for (int i = 0; i < days_to_look; ++i, day -= chr::days(1)) {
        if (!matches_day(at(day, 0, 0))) {
            continue;
        }
        for (int minute = 24 * 60 - 1; minute >= 0; --minute) {
            const auto found = at(day, minute / 60, minute % 60);
            if (found <= when && matches(found)) {
                return found;
            }
        }
    }
    return std::nullopt;
}

std::optional<WallMinute> Cron::next(const WallMinute& when) const {
    auto day = day_of(when);
    for (int i = 0; i < days_to_look; ++i, day += chr::days(1)) {
        if (!matches_day(at(day, 0, 0))) {
            continue;
        }
        for (int minute = 0; minute < 24 * 60; ++minute) {
            const auto found = at(day, minute / 60, minute % 60);
            if (found > when && matches(found)) {
                return found;
            }
        }
    }
    return std::nullopt;
}

}  // namespace howdah::repo
