#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "repo/archive_name.h"
#include "repo/info/backup_info.h"

/// What verify concludes from what it has read. Nothing here reads.
namespace howdah::repo {

/// What reading one stored file has shown.
enum class Finding : std::uint8_t { good, missing, bad_sum, bad_size, other };
std::string_view name_of(Finding finding);

/// Unbroken WAL of one timeline, as names of segments.
struct WalStretch {
    std::string first{};
    std::string last{};

    bool operator==(const WalStretch&) const = default;
};

/// The WAL of one archive-id, by the names of its files.
class WalInventory {
public:
    /// Any file name in the archive-id; others than segments are passed over.
    void add(std::string_view file_name);
    /// Of one that was added: it is damaged, and as good as missing.
    void lose(std::string_view file_name);

    /// By name; a new one begins after each gap and on each timeline.
    std::vector<WalStretch> stretches(std::uint64_t segment_size) const;
    /// Names of stored files whose segment is also stored with another content: damage.
    std::vector<std::string> conflicts() const;
    /// The first segment from `start` to `stop` (of one timeline) that is missing; "" if none is.
    /// Errors: Errc::invalid for names that are none.
    Result<std::string> first_missing(std::string_view start, std::string_view stop,
                                      std::uint64_t segment_size) const;
    std::size_t segments() const { return files_.size(); }

private:
    std::map<std::string, std::vector<std::string>, std::less<>>
        files_{};  // segment -> stored names
};

/// Counts of findings; what is shown of an archive-id or a backup.
struct Tally {
    std::map<Finding, std::uint64_t> counts{};

    void add(Finding finding) { ++counts[finding]; }
    std::uint64_t total() const;
    std::uint64_t good() const;
    bool all_good() const { return total() == good(); }
};

/// The state of one backup: its own files, those of the backups it refers to, and its WAL.
enum class BackupState : std::uint8_t {
    valid,
    invalid,           ///< a file is damaged or missing
    manifest_missing,  ///< neither manifest nor copy can be read
    wal_missing,       ///< it cannot be made consistent
};
std::string_view name_of(BackupState state);

BackupState state_of(bool manifest_read, const Tally& files,
                     const Result<std::string>& missing_wal);

}  // namespace howdah::repo
