#include "repo/plan/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "pg/wal_segment.h"

namespace howdah::repo {

std::string_view name_of(Finding finding) {
    constexpr std::array<std::string_view, 5> names{"good", "missing", "checksum invalid",
                                                    "size invalid", "other"};
    return names[static_cast<std::size_t>(finding)];
}

std::string_view name_of(BackupState state) {
    constexpr std::array<std::string_view, 4> names{"valid", "invalid", "manifest missing",
                                                    "wal missing"};
    return names[static_cast<std::size_t>(state)];
}

void WalInventory::add(std::string_view file_name) {
    if (const auto stored = parse_stored_segment(file_name); stored && !stored->partial()) {
        files_[stored->name].emplace_back(file_name);
    }
}

void WalInventory::lose(std::string_view file_name) {
    const auto stored = parse_stored_segment(file_name);
    const auto found = stored ? files_.find(stored->name) : files_.end();
    if (found != files_.end() && std::erase(found->second, file_name) > 0 &&
        found->second.empty()) {
        files_.erase(found);
    }
}

std::vector<WalStretch> WalInventory::stretches(std::uint64_t segment_size) const {
    std::vector<WalStretch> all;
    std::string expected;
    for (const auto& [name, stored] : files_) {
        if (all.empty() || name != expected) {
            all.push_back({.first = name, .last = name});
        }
        all.back().last = name;
        // Names come from parse_stored_segment, so that they parse.
        expected = pg::WalSegment::parse(name)->next(segment_size).name();
    }
    return all;
}

std::vector<std::string> WalInventory::conflicts() const {
    std::vector<std::string> all;
    for (const auto& [name, stored] : files_) {
        if (stored.size() > 1 && !choose_segment(name, stored)) {
            all.insert(all.end(), stored.begin(), stored.end());
        }
    }
    return all;
}

Result<std::string> WalInventory::first_missing(std::string_view start, std::string_view stop,
                                                std::uint64_t segment_size) const {
    HD_TRY(auto segment, pg::WalSegment::parse(start));
    HD_TRY(const auto last, pg::WalSegment::parse(stop));
    if (segment.timeline != last.timeline || last < segment) {
        return fail(Errc::invalid, fmt::format("{} does not come after {}", stop, start));
    }
    // Ends at the first gap, so that absurd ends cost nothing.
    for (; segment <= last; segment = segment.next(segment_size)) {
        if (!files_.contains(segment.name())) {
            return segment.name();
        }
    }
    return std::string();
}

std::uint64_t Tally::total() const {
    std::uint64_t sum = 0;
    for (const auto& [finding, count] : counts) {
        sum += count;
    }
    return sum;
}

std::uint64_t Tally::good() const {
    const auto found = counts.find(Finding::good);
    return found == counts.end() ? 0 : found->second;
}

BackupState state_of(bool manifest_read, const Tally& files,
                     const Result<std::string>& missing_wal) {
    if (!manifest_read) {
        return BackupState::manifest_missing;
    }
    if (!files.all_good()) {
        return BackupState::invalid;
    }
    return missing_wal && missing_wal->empty() ? BackupState::valid : BackupState::wal_missing;
}

}  // namespace howdah::repo
