#include "repo/info/label.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace howdah::repo {
namespace {

using std::string_view;

constexpr std::size_t stamp_size = 15;  // 20261123-075956
constexpr std::size_t full_size = stamp_size + 1;
constexpr std::size_t child_size = full_size + 1 + full_size;

constexpr std::array names{std::pair(BackupType::full, string_view("full")),
                           std::pair(BackupType::diff, string_view("diff")),
                           std::pair(BackupType::incr, string_view("incr"))};

bool is_stamp(string_view text) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    return text.size() == stamp_size && text[8] == '-' &&
           std::ranges::all_of(text.substr(0, 8), digit) &&
           std::ranges::all_of(text.substr(9), digit);
}

bool is_full(string_view text) {
    return text.size() == full_size && is_stamp(text.substr(0, stamp_size)) && text.back() == 'F';
}

bool is_child(string_view text) {
    return text.size() == child_size && is_full(text.substr(0, full_size)) &&
           text[full_size] == '_' && is_stamp(text.substr(full_size + 1, stamp_size)) &&
           (text.back() == 'D' || text.back() == 'I');
}

std::string stamp(std::chrono::local_seconds time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string label_at(const NextLabel& wanted, std::chrono::local_seconds time) {
    const auto text = stamp(time);
    if (wanted.type == BackupType::full || !wanted.full) {
        return text + "F";
    }
    return wanted.full->text() + "_" + text + (wanted.type == BackupType::diff ? "D" : "I");
}

}  // namespace

string_view name_of(BackupType type) {
    return names[static_cast<std::size_t>(type)].second;
}

std::optional<BackupType> backup_type(string_view name) {
    const auto* const found =
        std::ranges::find(names, name, [](const auto& entry) { return entry.second; });
    return found == names.end() ? std::nullopt : std::optional(found->first);
}

Result<Label> Label::parse(string_view text) {
    if (!is_full(text) && !is_child(text)) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no backup label", text),
                    "labels look like 20261123-075956F or 20261123-075956F_20261123-080001I");
    }
    Label label;
    label.text_ = text;
    return label;
}

BackupType Label::type() const {
    const char last = text_.empty() ? 'F' : text_.back();
    return last == 'F' ? BackupType::full : last == 'D' ? BackupType::diff : BackupType::incr;
}

Label Label::full() const {
    Label label;
    label.text_ = text_.substr(0, full_size);
    return label;
}

Result<Label> next_label(const NextLabel& wanted) {
    for (const auto later : {0, 1}) {
        HD_TRY(auto label,
               Label::parse(label_at(wanted, wanted.now + std::chrono::seconds(later))));
        if (!wanted.newest || label > *wanted.newest) {
            return label;
        }
    }
    return fail(Errc::conflict,
                fmt::format("the clock says {}, which is not after the newest backup {}",
                            stamp(wanted.now), wanted.newest->text()),
                "was the clock or the time zone set back? wait, or set it right");
}

}  // namespace howdah::repo
