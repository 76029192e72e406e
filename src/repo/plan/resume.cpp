#include "repo/plan/resume.h"

#include <fmt/format.h>

namespace howdah::repo {
namespace {

/// Why it cannot be resumed; empty if it can.
std::string obstacle(const Unfinished& unfinished, const Planned& planned) {
    if (!planned.resume) {
        return "resume is switched off";
    }
    if (planned.type != BackupType::full || unfinished.label.type() != BackupType::full) {
        return "only full backups are resumed";
    }
    if (unfinished.copy == nullptr) {
        return "its backup.manifest.copy cannot be loaded";
    }
    const auto& copy = *unfinished.copy;
    if (copy.written_by != planned.written_by) {
        return fmt::format("it was begun by version {}, this is {}", copy.written_by,
                           planned.written_by);
    }
    if (copy.label != unfinished.label || copy.type != planned.type ||
        copy.prior != planned.prior) {
        return "it is another backup than its folder says";
    }
    if (copy.options.backup_standby.value_or(false)) {
        return "it was copied from a standby, which may have been promoted meanwhile";
    }
    if (copy.options.compress != planned.compress) {
        return fmt::format("it is compressed by {}, this will be by {}",
                           name_of(copy.options.compress), name_of(planned.compress));
    }
    if (copy.bundle != planned.bundle || copy.block_incremental != planned.block_incremental) {
        return "repo-bundle or repo-block has changed";
    }
    return {};
}

}  // namespace

ResumeDecision decide_resume(const std::optional<Unfinished>& unfinished, const Planned& planned) {
    if (!unfinished || unfinished->has_manifest) {
        return {.choice = ResumeChoice::nothing, .why = "no backup is unfinished"};
    }
    auto why = obstacle(*unfinished, planned);
    if (!why.empty()) {
        return {
            .choice = ResumeChoice::remove,
            .why = fmt::format("backup '{}' cannot be resumed: {}", unfinished->label.text(), why)};
    }
    return {.choice = ResumeChoice::resume,
            .why = fmt::format("backup '{}' of the same kind was interrupted",
                               unfinished->label.text())};
}

bool may_stay(const ManifestFile& then, const ManifestFile& now, bool delta) {
    return then.name == now.name && then.sum && !then.bundle && !then.blocks &&
           then.reference.empty() && then.size == now.size && then.size > 0 &&
           (delta || then.modified == now.modified);
}

}  // namespace howdah::repo
