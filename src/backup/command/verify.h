#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/site.h"
#include "repo/plan/verify.h"

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

/// Reads all that the stanza has in one of the site's repositories and checks every sum; writes
/// nothing. With --set this backup alone, and its WAL. Progress: files read, of all that are known
/// so far. Errors: when the info files can't be read, or the set is not there; damage is in the
/// result.
Result<Verified> verify(const Site& site, Repository& repository);

/// pgBackRest's text (pgbackrest-repository.md, section 15.9).
std::string verify_text(const std::string& stanza, const Verified& found);
/// The same, and every damaged file, as JSON in one line.
std::string verify_json(const std::string& stanza, const Verified& found);

}  // namespace howdah::backup
