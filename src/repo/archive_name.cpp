#include "repo/archive_name.h"

#include <fmt/format.h>

#include <algorithm>

#include "repo/info/history_section.h"

namespace howdah::repo {
namespace {

using std::string_view;

constexpr std::size_t segment_size = 24;
constexpr std::size_t folder_size = 16;
constexpr string_view partial = ".partial";
constexpr string_view backup = ".backup";

bool is_hex(string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); });
}

/// ".00000028.backup"
bool is_backup_suffix(string_view text) {
    return text.size() == 9 + backup.size() && text.starts_with('.') && text.ends_with(backup) &&
           is_hex(text.substr(1, 8));
}

}  // namespace

Result<WalFile> wal_file(string_view name) {
    if (pg::parse_history_name(name)) {
        return WalFile::history;
    }
    if (pg::WalSegment::parse(name.substr(0, segment_size))) {
        const auto suffix = name.substr(segment_size);
        if (suffix.empty()) {
            return WalFile::segment;
        }
        if (suffix == partial) {
            return WalFile::partial;
        }
        if (is_backup_suffix(suffix)) {
            return WalFile::backup_label;
        }
    }
    return fail(Errc::invalid,
                fmt::format("\"{}\" is neither a WAL segment nor a history file", name));
}

std::string wal_folder(string_view name) {
    return name.size() < segment_size ? std::string() : std::string(name.substr(0, folder_size));
}

std::string stored_wal_name(string_view name, const Sha1Digest& sum, CompressType compress) {
    const auto kind = wal_file(name);
    if (!kind || !is_hashed(*kind)) {
        return std::string(name);
    }
    return fmt::format("{}-{}{}", name, sum.hex(), extension_of(compress));
}

std::optional<StoredSegment> parse_stored_segment(string_view file_name) {
    const auto dash = file_name.find('-');
    if (dash == string_view::npos) {
        return std::nullopt;
    }
    StoredSegment stored{.name = std::string(file_name.substr(0, dash))};
    const auto kind = wal_file(stored.name);
    const auto rest = file_name.substr(dash + 1);
    const auto sum = Sha1Digest::parse(rest.substr(0, 40));
    if (!kind || !is_hashed(*kind) || !sum) {
        return std::nullopt;
    }
    const auto extension = rest.substr(40);
    stored.sum = *sum;
    stored.compress = type_of_file(extension);
    if (extension != extension_of(stored.compress)) {
        return std::nullopt;
    }
    return stored;
}

Result<std::string> choose_segment(string_view name, const std::vector<std::string>& files) {
    std::optional<StoredSegment> found;
    std::string chosen;
    for (const auto& file : files) {
        const auto stored = parse_stored_segment(file);
        if (!stored || stored->name != name) {
            continue;
        }
        if (found && found->sum != stored->sum) {
            return fail(
                Errc::conflict,
                fmt::format("the archive holds {} with different contents: {} and {}", name, chosen,
                            file),
                "two clusters may have archived to one stanza; verify says which is damaged");
        }
        if (!found) {
            found = stored;
            chosen = file;
        }
    }
    if (!found) {
        return fail(Errc::not_found, fmt::format("{} is not in the archive", name));
    }
    return chosen;
}

Result<ArchiveId> ArchiveId::parse(string_view text) {
    const auto dash = text.find('-');
    if (dash == string_view::npos) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no archive id", text));
    }
    HD_TRY(auto version, valid_version(text.substr(0, dash)));
    HD_TRY(const auto id, history_id(text.substr(dash + 1)));
    return ArchiveId{.version = std::move(version), .id = id};
}

std::string ArchiveId::text() const {
    return fmt::format("{}-{}", version, id);
}

bool is_wal_folder(string_view name) {
    return name.size() == folder_size && is_hex(name);
}

}  // namespace howdah::repo
