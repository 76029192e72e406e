#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace howdah::repo {

/// repo-bundle, repo-bundle-limit, repo-bundle-size.
struct Bundling {
    bool on = false;
    std::uint64_t largest_file = 2U << 20;  ///< bytes; larger ones stay alone
    std::uint64_t full_at = 20U << 20;      ///< a bundle with that many original bytes is closed
};

/// A file that a backup must copy.
struct CopyItem {
    std::uint64_t size = 0;
    std::uint32_t index = 0;  ///< in the caller's table
    bool alone = false;       ///< never bundled: backup_label, tablespace_map
};

/// What one worker does at a time.
struct CopyJob {
    std::uint32_t bundle = 0;                ///< number of the bundle; 0: a file of its own
    std::span<const std::uint32_t> files{};  ///< in the order in which they are written
};

/// All jobs of a backup, in some 16 bytes a file: there may be millions.
class CopyPlan {
public:
    std::size_t size() const { return jobs_.size(); }
    /// Its span lives as long as the plan.
    CopyJob at(std::size_t number) const;

private:
    friend CopyPlan plan_copies(std::span<const CopyItem> items, const Bundling& bundling);
    struct Part {
        std::uint32_t bundle = 0, first = 0, count = 0;  ///< in files_
    };
    std::vector<std::uint32_t> files_{};
    std::vector<Part> jobs_{};
};

/// Single files by size, the largest first, so that the last worker is not left with a big one;
/// then the bundles, numbered from 1. With bundling, empty files are in no job: their manifest
/// entry is all there is of them.
CopyPlan plan_copies(std::span<const CopyItem> items, const Bundling& bundling);

/// Where files lie in a bundle while it is written: one behind the other.
class BundleOffsets {
public:
    /// Offset of the file that comes next.
    std::uint64_t next() const { return offset_; }
    void wrote(std::uint64_t stored_size) { offset_ += stored_size; }

private:
    std::uint64_t offset_ = 0;
};

}  // namespace howdah::repo
