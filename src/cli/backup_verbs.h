#pragma once

#include <string>
#include <vector>

namespace howdah::cli {

struct BackupVerb {
    std::string name{}, what{};
};

/// Those of pgBackRest's commands that Howdah has, with pgBackRest's options.
const std::vector<BackupVerb>& backup_verbs();

/// One of them. `as_pgbackrest`: with that program's exit codes also where ours differ. `words`:
/// all behind the program's name, verb included, in any order. Returns the exit code, which is
/// pgBackRest's (pgbackrest-repository.md, section 14).
int run_backup_verb(const std::vector<std::string>& words, bool as_pgbackrest = false);

}  // namespace howdah::cli
