#pragma once

#include <string>

#include "backup/repository.h"
#include "repo/manifest/manifest.h"

namespace howdah::backup {

/// Where one backup's files come from.
struct BackupSource {
    Repository& repository;
    std::string stanza{};
    const repo::ManifestHeader& header;
};

/// Writes the file of a backup to `path`, where nothing may be, and checks every sum that the
/// manifest has. It is not durable yet; owner, mode and time are the caller's. Errors:
/// Errc::corrupt, naming the stored file, for damaged data; ExitCode::file_exists; Errc::io.
Result<> restore_file(const BackupSource& from, const repo::ManifestFile& file,
                      const std::string& path);
/// A file of the right size without content. Errors: as restore_file.
Result<> restore_as_zeros(const repo::ManifestFile& file, const std::string& path);
/// Whether `path` holds that very content already.
Result<bool> holds_content(const repo::ManifestFile& file, const std::string& path);

}  // namespace howdah::backup
