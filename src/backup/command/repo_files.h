#pragma once

#include <string>
#include <vector>

#include "backup/repository.h"
#include "backup/site.h"
#include "files/files.h"

/// Single files of a repository, by hand: repo-ls, repo-get, repo-put and repo-rm.
namespace howdah::backup {

/// A path as a word says it: from the repository's root, or whole and below it. Errors:
/// ExitCode::param_invalid.
Result<std::string> path_in(Repository& repository, const std::string& word);

/// What lies below a folder, by `options.recurse` at any depth, in order of the names; of a file,
/// itself as ".". Nothing for what is not there. Paths count from the folder, which is "." itself.
/// Errors: ExitCode::format for a filter that is no regular expression.
Result<std::vector<files::Entry>> list_files(Repository& repository, const std::string& path,
                                             const FileOptions& options);
std::string list_text(const std::vector<files::Entry>& entries);
/// pgBackRest's `repo-ls --output=json`, without a line end.
std::string list_json(const std::vector<files::Entry>& entries);

/// A whole file into `sink`, decrypted as its place asks for, unless `raw`; compressed ones stay
/// so. Errors: Errc::not_found.
Result<> get_file(Repository& repository, const std::string& path, bool raw, files::Sink& sink);
/// Replaces a file, encrypted as its place asks for, unless `raw`.
Result<> put_file(Repository& repository, const std::string& path, bool raw, files::Source& source);
/// A file or an empty folder; with `recurse` a folder and all that is in it. Errors:
/// ExitCode::option_invalid for a folder that is not empty.
Result<> remove_files(Repository& repository, const std::string& path, bool recurse);

}  // namespace howdah::backup
