#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "repo/manifest/manifest.h"

/// A restore in memory, by src/repo alone.
namespace howdah::repo::fixtures {

/// Content of a file below the repository; throws if there is none. It outlives the restore.
using ReadStored = std::function<std::string_view(const std::string& path)>;

/// The content of one file of a backup, checked against every sum that the manifest has.
Result<ByteBuffer> restore_file(const ManifestHeader& header, const ManifestFile& file,
                                const ReadStored& read);

}  // namespace howdah::repo::fixtures
