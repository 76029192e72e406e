#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace howdah::repo {

enum class BackupType : std::uint8_t { full, diff, incr };

/// "full", "diff", "incr".
std::string_view name_of(BackupType type);
std::optional<BackupType> backup_type(std::string_view name);

/// The name of a backup: "20261123-075956F", or its full backup's name, '_' and "20261123-080001I"
/// ('D' for a differential one). Labels of one repository sort by age.
class Label {
public:
    Label() = default;
    /// Errors: Errc::invalid. What parses is safe as the name of a folder.
    static Result<Label> parse(std::string_view text);

    const std::string& text() const { return text_; }
    BackupType type() const;
    /// The full backup that the chain begins with; itself for a full one.
    Label full() const;
    /// "2026", the folder in backup.history.
    std::string_view year() const { return std::string_view(text_).substr(0, 4); }
    auto operator<=>(const Label&) const = default;

private:
    std::string text_{};
};

struct NextLabel {
    BackupType type{};
    /// The chain to extend; nullopt for a full backup.
    std::optional<Label> full{};
    /// Start of the backup in the time zone of the process.
    std::chrono::local_seconds now{};
    /// The newest label that exists, as a folder or in backup.history.
    std::optional<Label> newest{};
};

/// A label greater than every existing one: a second is added once if need be.
/// Errors: Errc::conflict when the clock stands behind the newest backup.
Result<Label> next_label(const NextLabel& wanted);

}  // namespace howdah::repo
