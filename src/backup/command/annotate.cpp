#include "backup/command/annotate.h"

#include <fmt/format.h>

#include "backup/command/known_backups.h"
#include "backup/options/exit_code.h"

namespace howdah::backup {

Result<> annotate(Site& site) {
    HD_TRY_VOID(site.needs_stanza());
    const auto& set = site.options.expire_set;
    const auto& wanted = site.options.backup.annotations;
    if (set.empty() || wanted.empty()) {
        return fail_with(
            ExitCode::option_required, Errc::invalid,
            fmt::format("annotate needs --{}", set.empty() ? "set" : "annotation"),
            "for example --set=20261123-075956F --annotation=why=\"before the upgrade\"");
    }
    HD_TRY(const auto label, repo::Label::parse(set));
    HD_TRY(const auto lock, site.lock(LockKind::backup));
    bool found = false;
    for (auto& repository : site.repositories) {
        HD_TRY(auto info, known_backups(site, repository));
        const auto backup = info.backups.find(label);
        if (backup == info.backups.end()) {
            continue;
        }
        found = true;
        for (const auto& [key, value] : wanted) {
            if (value.empty()) {
                backup->second.annotations.erase(key);
            } else {
                backup->second.annotations[key] = value;
            }
        }
        HD_TRY_VOID(repository.save(site.stanza(), info));
        site.notes.info(fmt::format("{}: backup set '{}' annotated", repository.name(), set));
    }
    return found ? Result<>{}
                 : fail_with(ExitCode::backup_set_invalid, Errc::not_found,
                             fmt::format("no backup set {} to annotate found", set),
                             "info shows the backups of each repository");
}

}  // namespace howdah::backup
