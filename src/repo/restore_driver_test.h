#pragma once

#include <functional>
#include <string>

#include "repo/bytes.h"
#include "repo/manifest.h"

/// A restore in memory, by src/repo alone.
namespace howdah::repo::fixtures {

/// Content of a file below the repository; throws if there is none.
using ReadStored = std::function<std::string(const std::string& path)>;

/// The content of one file of a backup, checked against every sum that the manifest has.
Result<ByteBuffer> restore_file(const ManifestHeader& header, const ManifestFile& file,
                                const ReadStored& read);

}  // namespace howdah::repo::fixtures
