#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "backup/repository.h"
#include "backup/site.h"
#include "base/result.h"

namespace howdah::backup {

/// backup.info in line with the folders, as commands that change backups need it: what has lost its
/// manifest goes, what has one comes back (repo::reconcile); each is warned of, and what changed is
/// saved, unless `dry`. Errors: those of Repository::backup_info; ExitCode::file_missing with the
/// way out when the stanza is not there.
Result<repo::BackupInfo> known_backups(const Site& site, Repository& repository, bool dry = false);

/// The newest label that a folder or backup.history has.
Result<std::optional<repo::Label>> newest_label(Repository& repository, const std::string& stanza);

/// Labels of the folders of backups, oldest first, finished or not.
Result<std::vector<repo::Label>> backup_folders(Repository& repository, const std::string& stanza);

/// The last part of a path.
std::string_view base_of(std::string_view path);
/// Labels are made of local time. `seconds`: since 1970.
std::chrono::local_seconds local_time(std::int64_t seconds);

}  // namespace howdah::backup
