#pragma once

#include "repo/info/info_document.h"
#include "repo/manifest/manifest.h"

/// The sections of backup.manifest but for its files; behind ManifestReader.
namespace howdah::repo {

/// Takes one entry of any section but [target:file]; those of unknown sections are skipped.
Result<> read_header_entry(const InfoEntry& entry, ManifestHeader& header);

}  // namespace howdah::repo
