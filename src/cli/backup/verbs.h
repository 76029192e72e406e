#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::cli {

struct BackupVerb {
    std::string name{}, what{};
    std::string options{};  ///< what --help tells of the most used ones
    bool hidden = false;    ///< not listed by help: for who knows what a repository is made of
};

/// Those of pgBackRest's commands that Howdah has, with pgBackRest's options.
const std::vector<BackupVerb>& backup_verbs();

/// What --help tells of a verb's options.
std::string backup_verb_help(const BackupVerb& verb);

/// The stanza of these words has a backup in one of their repositories. Errors: Errc::not_found:
/// none has; those of reading options and repositories.
Result<> find_backup(std::vector<std::string> words);

/// Runs the verb that `words` name: all words behind the program's name, in any order.
/// `as_pgbackrest`: with that program's exit codes also where ours differ. Returns the exit code,
/// which is pgBackRest's (backup/options/exit_code.h) but for an archive-get that could not look.
int run_backup_verb(const std::vector<std::string>& words, bool as_pgbackrest = false);

}  // namespace howdah::cli
