#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backup/site.h"
#include "repo/info/label.h"

namespace howdah::backup {

/// What a restore test found out.
struct RestoreTested {
    repo::Label label{};
    std::string repository{};  ///< "repo1"
    std::uint64_t size = 0;    ///< bytes of the restored cluster
    double restore_s = 0, recover_s = 0, check_s = 0;
    std::string recovered_to{};   ///< LSN of the end of recovery
    std::string last_commit{};    ///< time of the last one that was recovered; "" when none was
    std::uint64_t databases = 0;  ///< that pg_amcheck looked into; 0: it is not on this host
    bool page_checksums = false;  ///< the cluster has them, and each was checked
    std::vector<std::string> faults{};  ///< empty: the backup is good

    bool good() const { return faults.empty(); }
};

/// Restores a backup (--set, else the newest) into a folder of its own below --scratch-path,
/// recovers it to the end of the archive, looks into every database with pg_amcheck and at every
/// page's checksum, and removes it all. The cluster itself, its archive and its spool are not
/// touched. What is wrong with the backup is in `faults`. Errors: what kept the test from being
/// made, as no room on the disk, no such backup, or PostgreSQL's programs missing.
/// `on_folder` is told that folder when it has been made: who ends the process before this returns
/// calls clear_away() on it.
Result<RestoreTested> restore_test(Site& site,
                                   const std::function<void(const std::string&)>& on_folder);

/// Kills the server that runs in a restore test's folder, if one does, and removes the folder, as
/// far as that goes in a few seconds. Any thread may call it while the test is at work.
void clear_away(const std::string& folder);

std::string restore_test_text(const std::string& stanza, const RestoreTested& found);
std::string restore_test_json(const std::string& stanza, const RestoreTested& found);

}  // namespace howdah::backup
