#pragma once

#include <optional>
#include <string>

#include "repo/manifest/manifest.h"

namespace howdah::repo {

/// The newest folder among the backups, which may be what an interrupted backup left.
struct Unfinished {
    Label label{};
    bool has_manifest = false;  ///< backup.manifest, not its copy: then it is finished
    /// What backup.manifest.copy says; nullptr if it cannot be loaded.
    const ManifestHeader* copy = nullptr;
};

/// What the backup about to start will be.
struct Planned {
    bool resume = true;  ///< the option
    std::string written_by{};
    BackupType type{};
    std::optional<Label> prior{};
    CompressType compress = CompressType::none;
    bool bundle = false;
    bool block_incremental = false;
};

enum class ResumeChoice : std::uint8_t {
    nothing,  ///< no unfinished backup
    resume,   ///< go on in its folder, under its label and pass phrase
    remove,   ///< delete the folder and begin anew
};

struct ResumeDecision {
    ResumeChoice choice{};
    std::string why{};
};

ResumeDecision decide_resume(const std::optional<Unfinished>& unfinished, const Planned& planned);

/// Whether a file that the unfinished backup has copied can stay, provided that its stored bytes
/// still match. Bundles never stay. `delta`: the option, under which times don't count.
bool may_stay(const ManifestFile& then, const ManifestFile& now, bool delta);

}  // namespace howdah::repo
