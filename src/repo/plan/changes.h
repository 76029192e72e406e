#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "repo/manifest/manifest.h"

/// What an incremental or differential backup takes from its prior one.
namespace howdah::repo {

/// What to do with a file that the prior backup has, too.
enum class Change : std::uint8_t {
    same,     ///< refer to the prior one without looking
    compare,  ///< delta: read it, and refer if its sum is the same
    copy,
};

/// `now`: the file as listed. `prior`: of the prior manifest, if it has that name.
Change change_of(const ManifestFile& now, const std::optional<ManifestFile>& prior, bool delta);

/// `now` with the sums and places of `prior`, as a reference to the backup that holds the data.
/// `prior_label`: of the manifest that `prior` is of. The result's views live as long as both
/// arguments'.
ManifestFile refer(const ManifestFile& now, const ManifestFile& prior, const Label& prior_label,
                   bool bundles);

/// Why times cannot be trusted, so that delta must be on; nullopt if they can.
/// Of the whole: before the files are looked at.
std::optional<std::string> delta_reason(const ManifestHeader& now, const ManifestHeader& prior);
/// Of one file. `copy_started`: seconds since 1970, of the new backup.
std::optional<std::string> delta_reason(const ManifestFile& now,
                                        const std::optional<ManifestFile>& prior,
                                        std::int64_t copy_started);

/// The chain's facts that a new backup takes over from its prior one: references, pass phrase, the
/// form of bundles, compression, page checks.
void inherit(ManifestHeader& now, const ManifestHeader& prior);

}  // namespace howdah::repo
