#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository.h"
#include "repo/verify.h"

namespace howdah::backup {

/// A file that is not as it should be.
struct Damage {
    std::string path{};  ///< below the repository
    repo::Finding finding{};
    std::string why{};
};

struct VerifiedArchive {
    std::string id{};  ///< "15-1"
    repo::Tally segments{};
    std::vector<repo::WalStretch> stretches{};
    std::vector<Damage> damage{};
};

struct VerifiedBackup {
    repo::Label label{};
    repo::BackupState state{};
    repo::Tally files{};
    std::vector<Damage> damage{};  ///< of files that this backup holds itself
    std::string missing_wal{};     ///< the first segment that it lacks
};

struct Verified {
    std::vector<VerifiedArchive> archives{};
    std::vector<VerifiedBackup> backups{};  ///< oldest first

    bool all_good() const;
};

struct VerifyOrder {
    std::string stanza{};
    std::optional<repo::Label> only{};  ///< this backup, and its WAL
    std::uint32_t process_max = 1;
};

/// Reads all that the stanza has in one repository and checks every sum; writes nothing.
/// `progress`, called from any thread, may be empty: files read, of all that are known so far.
/// Errors: when the info files can't be read, or `only` is not there; damage is in the result.
Result<Verified> verify(Repository& repository, const VerifyOrder& order,
                        const std::function<void(std::uint64_t, std::uint64_t)>& progress);

/// pgBackRest's text (pgbackrest-repository.md, section 15.9).
std::string verify_text(const std::string& stanza, const Verified& found);
/// The same, and every damaged file, as JSON in one line.
std::string verify_json(const std::string& stanza, const Verified& found);

}  // namespace howdah::backup
